//! What a letter looks like to templates: its lines in the words of a language.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::accent;
use super::cleaned::{LONGEST_ITEM, LONGEST_NAME, cleaned};
use super::formats::Formats;
use super::letter::{ComposeError, Debited, Letter, Line, News, Sender};
use super::qr;
use super::view::{DueView, LineView, NewsView, View, WayView};
use super::ways::{about_mail, filled, shared};
use crate::domain::calendar::days_between;
use crate::domain::decide::reminders::Template;
use crate::domain::language_tag::LanguageTag;
use crate::domain::money::Currency;
use crate::domain::terms::letterhead::Letterhead;

/// An image in a mail, by the id with which its HTML names it.
pub(super) struct Image {
    pub id: String,
    pub png: Vec<u8>,
}

/// Puts a letter into a language. Returns what templates show, and the images.
pub(super) fn view(
    letter: &Letter,
    sender: &Sender,
    formats: &Formats,
    tag: &LanguageTag,
) -> Result<(View, Vec<Image>), ComposeError> {
    let about: Vec<&Line> = letter.lines.iter().filter(|line| line.template == letter.template).collect();
    let is_news = letter.news.iter().any(|news| news.template == letter.template);
    if about.is_empty() && !is_news {
        return Err(ComposeError::NoLine(letter.template));
    }
    if let Some(line) = letter.lines.iter().find(|line| line.template == Template::Notice && line.flag_on.is_none()) {
        return Err(ComposeError::NoFlagDay(line.order_id.clone()));
    }
    let mut images = Vec::new();
    let words = Words { letter, sender, formats, tag };
    let mut lines: Vec<LineView> = letter.lines.iter().map(|line| words.line(line)).collect();
    let by_hand = letter.lines.iter().any(|line| line.debited.is_none());
    let is_by_hand = |line: &&mut LineView| !line.debited;
    let (mut pay, pay_in_lines) = shared(lines.iter_mut().filter(is_by_hand).map(|line| &mut line.pay));
    // Where several amounts are to be paid, each has its link, and codes would only be confused.
    if sender.pay_qr
        && let Some(png) = pay.link.as_deref().and_then(qr::png)
    {
        let id = format!("pay.{}", letter.message_id);
        pay.qr = Some(format!("cid:{id}"));
        images.push(Image { id, png });
    }
    let may_extend = letter.lines.iter().any(|line| line.may_extend);
    let extendable = letter.lines.iter().zip(&mut lines).filter(|(line, _)| line.may_extend);
    let (extend, extend_in_lines) = shared(extendable.map(|(_, view)| &mut view.extend));
    let returnable = letter.lines.iter().zip(&mut lines).filter(|(line, _)| line.may_give_back);
    let (give_back, _) = shared(returnable.map(|(_, view)| &mut view.give_back));

    let logo = sender.logo.as_ref().map(|png| {
        let id = format!("logo.{}", letter.message_id);
        let source = format!("cid:{id}");
        images.push(Image { id, png: png.clone() });
        source
    });
    let news: Vec<NewsView> = letter.news.iter().map(|news| words.news(news)).collect();
    let merchants = letter.lines.iter().map(|line| line.merchant_id.as_str());
    let head = words.head(same_for_all(merchants.chain(letter.news.iter().map(|news| news.merchant_id.as_str()))));
    let own = sender.letterheads.of(tag, None);
    let name = cleaned(&letter.to_name, LONGEST_NAME);
    let view = View {
        scheme: cleaned(own.name.as_deref().unwrap_or(&sender.scheme_name), LONGEST_NAME),
        contact: head.contact,
        legal: head.legal,
        complaints: head.complaints,
        unsubscribe: head.unsubscribe.map(|way| about_mail(&way, &letter.message_id, sender, tag)).unwrap_or_default(),
        name: Some(name).filter(|name| !name.is_empty()),
        today: formats.day(letter.business_date),
        merchant: same_for_all(lines.iter().map(|line| &line.merchant).chain(news.iter().map(|news| &news.merchant)))
            .cloned(),
        amount: words.sum(&about),
        total: words.sum(&letter.lines.iter().collect::<Vec<_>>()),
        to_pay: words.sum(&letter.lines.iter().filter(|line| line.debited.is_none()).collect::<Vec<_>>()),
        several: lines.len() > 1,
        due_on: same_for_all(about.iter().map(|line| line.due_on)).map(|day| formats.day(day)),
        flag_on: same_for_all(about.iter().map(|line| line.flag_on)).flatten().map(|day| formats.day(day)),
        // The mail mentions the credit record only if all lines affect it.
        record: !about.is_empty() && about.iter().all(|line| line.record_at_stake),
        by_hand,
        collected: letter.lines.iter().any(|line| line.debited.is_some()),
        may_extend,
        pay,
        extend,
        give_back,
        pay_in_lines,
        extend_in_lines,
        accent: accent::css(sender.accent),
        on_accent: accent::text_on(sender.accent).to_owned(),
        logo,
        lines,
        news,
        ..View::default()
    };
    Ok((view, images))
}

struct Words<'a> {
    letter: &'a Letter,
    sender: &'a Sender,
    formats: &'a Formats,
    tag: &'a LanguageTag,
}

impl Words<'_> {
    /// The letterhead of a merchant, completed by the scheme's; of several merchants, the scheme's.
    fn head(&self, merchant_id: Option<&str>) -> Letterhead {
        let scheme = &self.sender.letterheads;
        match merchant_id.and_then(|id| self.sender.merchants.get(id)) {
            Some(merchant) => merchant.letterheads.of(self.tag, Some(scheme)),
            None => scheme.of(self.tag, None),
        }
    }

    fn merchant_name(&self, merchant_id: &str, head: &Letterhead) -> String {
        let merchant = self.sender.merchants.get(merchant_id);
        let is_chinese = self.tag.language.as_str() == "zh";
        let chinese = merchant.and_then(|merchant| merchant.name_zh.as_deref()).filter(|_| is_chinese);
        let name = head.name.as_deref().or(chinese).or(merchant.map(|merchant| merchant.name.as_str()));
        cleaned(name.unwrap_or(merchant_id), LONGEST_NAME)
    }

    fn line(&self, line: &Line) -> LineView {
        let Words { letter, sender, formats, tag } = self;
        let head = self.head(Some(&line.merchant_id));
        let money = |minor: i64| formats.money(line.currency, minor);
        let way = |way: &Option<_>, applies: bool| -> WayView {
            way.as_ref()
                .filter(|_| applies)
                .map(|way| filled(way, (line, &letter.message_id), sender, formats, tag))
                .unwrap_or_default()
        };
        let collected_minor = line.debited.map(|debited| match debited {
            Debited::On { minor, .. } | Debited::UnderWay { minor } => minor,
        });
        LineView {
            state: line.template.name(),
            merchant: self.merchant_name(&line.merchant_id, &head),
            order_id: cleaned(&line.order_id, LONGEST_ITEM),
            item: line.item.as_deref().map(|item| cleaned(item, LONGEST_ITEM)).filter(|item| !item.is_empty()),
            instalment: (line.instalments > 1).then_some(line.instalment),
            instalments: (line.instalments > 1).then_some(line.instalments),
            order_total: money(line.order_minor),
            paid: (line.paid_minor > 0).then(|| money(line.paid_minor)),
            refunded: (line.refunded_minor > 0).then(|| money(line.refunded_minor)),
            amount: money(line.outstanding_minor.saturating_add(line.fee_minor)),
            fee: (line.fee_minor != 0).then(|| money(line.fee_minor)),
            due_on: formats.day(line.due_on),
            days_left: days_between(letter.business_date, line.due_on),
            days_past_due: line.days_past_due,
            flag_on: line.flag_on.map(|day| formats.day(day)),
            fee_after: line.next_fee.map(|fee| formats.day(fee.unless_paid_by)),
            fee_until: line.next_fee.and_then(|fee| fee.until).map(|time| formats.time(time)),
            next_fee: line.next_fee.and_then(|fee| fee.minor).map(money),
            debited: line.debited.is_some(),
            collected_on: match line.debited {
                Some(Debited::On { day, .. }) => Some(formats.day(day)),
                Some(Debited::UnderWay { .. }) | None => None,
            },
            being_collected: matches!(line.debited, Some(Debited::UnderWay { .. })),
            collected_amount: collected_minor.map(money),
            pay: way(&head.pay, line.debited.is_none()),
            extend: way(&head.extend, line.may_extend),
            give_back: way(&head.give_back, line.may_give_back),
        }
    }

    fn news(&self, news: &News) -> NewsView {
        let head = self.head(Some(&news.merchant_id));
        let money = |minor: i64| self.formats.money(news.currency, minor);
        let is_part = news.instalment > 0 && news.instalments > 1;
        let due = |(due_on, minor): &(Option<NaiveDate>, i64)| DueView {
            amount: money(*minor),
            due_on: due_on.map(|day| self.formats.day(day)),
        };
        NewsView {
            state: news.template.name(),
            merchant: self.merchant_name(&news.merchant_id, &head),
            order_id: cleaned(&news.order_id, LONGEST_ITEM),
            item: news.item.as_deref().map(|item| cleaned(item, LONGEST_ITEM)).filter(|item| !item.is_empty()),
            instalment: is_part.then_some(news.instalment),
            instalments: is_part.then_some(news.instalments),
            day: self.formats.day(news.day),
            amount: news.minor.map(money),
            until: news.until.map(|day| self.formats.day(day)),
            dues: news.dues.iter().map(due).collect(),
            settled: news.settled,
        }
    }

    /// The sums to pay, by currency.
    fn sum(&self, lines: &[&Line]) -> String {
        let mut sums: BTreeMap<Currency, i64> = BTreeMap::new();
        for line in lines {
            let sum = sums.entry(line.currency).or_default();
            *sum = sum.saturating_add(line.outstanding_minor).saturating_add(line.fee_minor);
        }
        let sums: Vec<String> = sums.into_iter().map(|(currency, minor)| self.formats.money(currency, minor)).collect();
        sums.join(" + ")
    }
}

fn same_for_all<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}
