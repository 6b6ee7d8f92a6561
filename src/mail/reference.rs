//! Signed references: whoever takes a payment can tell by them that a link or a transfer names an order and an amount that
//! paylater asked for.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::money::Currency;

/// Bytes of a signature that a reference keeps: 80 bits, so that people can type it.
const KEPT: usize = 10;

/// The key that signs references. Nothing prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct ReferenceKey(Vec<u8>);

/// What a reference is about.
#[derive(Debug, Clone, Copy)]
pub struct Payable<'a> {
    pub merchant_id: &'a str,
    pub order_id: &'a str,
    pub instalment: i64,
    pub minor: i64,
    pub currency: Currency,
}

impl ReferenceKey {
    pub fn new(key: &str) -> ReferenceKey {
        ReferenceKey(key.as_bytes().to_vec())
    }

    /// The first 80 bits of HMAC-SHA256 over merchant, order, instalment, amount and currency, each in a line, in base32
    /// (RFC 4648): 16 letters and digits.
    pub fn sign(&self, payable: Payable<'_>) -> String {
        let Payable { merchant_id, order_id, instalment, minor, currency } = payable;
        let amount = currency.plain(minor);
        let text = format!("{merchant_id}\n{order_id}\n{instalment}\n{amount}\n{}\n", currency.code());
        self.sign_text(&text)
    }

    /// Signs the Message-ID of a mail, so that nobody else can unsubscribe its reader.
    pub fn sign_mail(&self, message_id: &str) -> String {
        self.sign_text(&format!("mail\n{message_id}\n"))
    }

    fn sign_text(&self, text: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(text.as_bytes());
        base32(&mac.finalize().into_bytes()[..KEPT])
    }
}

impl fmt::Debug for ReferenceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReferenceKey")
    }
}

/// Base32 of bytes whose number is a multiple of five.
fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let groups = bytes.chunks_exact(5).flat_map(|group| {
        let bits = group.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        (0..8).map(move |i| char::from(LETTERS[(bits >> (35 - 5 * i) & 31) as usize]))
    });
    groups.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payable(minor: i64) -> Payable<'static> {
        let currency = Currency::parse("CNY").unwrap();
        Payable { merchant_id: "TEA", order_id: "T-0301-02", instalment: 1, minor, currency }
    }

    #[test]
    fn base32_is_that_of_rfc_4648() {
        assert_eq!(base32(b"fooba"), "MZXW6YTB");
    }

    #[test]
    fn a_reference_is_what_other_programs_compute() {
        // python3 -c "import hmac,hashlib,base64; print(base64.b32encode(hmac.digest(b'k'*32,
        //   b'TEA\nT-0301-02\n1\n129.90\nCNY\n', 'sha256')[:10]).decode())"
        let key = ReferenceKey::new(&"k".repeat(32));
        assert_eq!(key.sign(payable(12_990)), "47UB5RZZI3EHPGBP");
        assert_ne!(key.sign(payable(12_991)), key.sign(payable(12_990)));
        assert_ne!(ReferenceKey::new("other").sign(payable(12_990)), key.sign(payable(12_990)));
        assert_eq!(format!("{key:?}"), "ReferenceKey");
    }
}
