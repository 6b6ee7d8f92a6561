//! Finds the one item that makes a batch fail, so that a message can name it.

use anyhow::Result;

use crate::store::{in_words, is_of_store};

/// Tries halves of `all`, which failed as a whole, until one item is left that fails on its own. `attempt` must leave
/// no trace. Returns `None` if no single item fails.
async fn find<T: Clone>(all: &[T], attempt: impl AsyncFn(&[T]) -> Result<()>) -> Option<(T, anyhow::Error)> {
    let mut left = all;
    while left.len() > 1 {
        let (first, rest) = left.split_at(left.len() / 2);
        left = if attempt(first).await.is_err() { first } else { rest };
    }
    let why = attempt(left).await.err()?;
    Some((left.first()?.clone(), why))
}

/// Returns the error of a batch of a merchant's items, naming the order whose item causes it. An error of the store is about
/// no order.
pub async fn named<T: Clone>(
    merchant: &str,
    all: &[T],
    order_of: impl Fn(&T) -> &str,
    why: anyhow::Error,
    attempt: impl AsyncFn(&[T]) -> Result<()>,
) -> anyhow::Error {
    if is_of_store(&why) {
        return why;
    }
    match find(all, attempt).await {
        Some((item, why)) => about(merchant, order_of(&item), in_words(why)),
        None => in_words(why),
    }
}

/// Returns the error with the order that it is about.
fn about(merchant: &str, order_id: &str, why: anyhow::Error) -> anyhow::Error {
    if format!("{why:#}").contains(order_id) { why } else { why.context(format!("order {order_id} of {merchant}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_that_fails_alone_is_found() {
        let all: Vec<i64> = (0..1_000).collect();
        for bad in [vec![0], vec![999], vec![500], vec![17, 800]] {
            let attempt = async |some: &[i64]| {
                anyhow::ensure!(some.iter().all(|one| !bad.contains(one)), "no");
                Ok(())
            };
            assert_eq!(find(&all, attempt).await.map(|(one, _)| one), bad.first().copied());
        }
        let together = async |some: &[i64]| {
            anyhow::ensure!(some.len() < 1_000, "too many");
            Ok(())
        };
        assert!(find(&all, together).await.is_none());
    }
}
