//! The language that a person reads.

use clap::ValueEnum;

use crate::mail::language::Language;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Lang {
    En,
    Zh,
}

impl Lang {
    /// The language that was asked for, or else that of the locale: Chinese if it begins with zh, else English.
    pub fn or_locale(asked: Option<Lang>) -> Language {
        match asked {
            Some(Lang::En) => Language::En,
            Some(Lang::Zh) => Language::Zh,
            None => {
                let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
                let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set);
                Language::of(&locale.unwrap_or_default())
            }
        }
    }
}
