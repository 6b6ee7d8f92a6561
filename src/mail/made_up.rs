//! Made-up content with which every template is tried before the first mail.

use super::view::{DueView, LineView, NewsView, View, WayView};
use crate::domain::decide::reminders::Template;

/// What a letter with this template can show: everything, next to nothing, and the extreme.
pub(super) fn views(template: Template) -> [View; 3] {
    [fullest("x"), sparsest(template), fullest(&"超长的名字🐱 <b>'\"&{{ x }}".repeat(16))]
}

fn fullest(text: &str) -> View {
    let text = || text.to_owned();
    let way = || WayView { link: Some(text()), words: Some(text()), qr: Some(text()) };
    let line = |template: Template| LineView {
        state: template.name(),
        merchant: text(),
        order_id: text(),
        item: Some(text()),
        instalment: Some(1),
        instalments: Some(i64::MAX),
        order_total: text(),
        paid: Some(text()),
        refunded: Some(text()),
        amount: text(),
        fee: Some(text()),
        due_on: text(),
        days_left: 1,
        days_past_due: i64::MAX,
        flag_on: Some(text()),
        fee_after: Some(text()),
        fee_until: Some(text()),
        next_fee: Some(text()),
        debited: true,
        collected_on: Some(text()),
        being_collected: true,
        collected_amount: Some(text()),
        pay: way(),
        extend: way(),
        give_back: way(),
    };
    View {
        language: text(),
        direction: "ltr",
        scheme: text(),
        contact: Some(text()),
        legal: Some(text()),
        complaints: Some(text()),
        unsubscribe: way(),
        name: Some(text()),
        today: text(),
        merchant: Some(text()),
        amount: text(),
        total: text(),
        to_pay: text(),
        several: true,
        due_on: Some(text()),
        flag_on: Some(text()),
        record: true,
        by_hand: true,
        collected: true,
        may_extend: true,
        pay: way(),
        extend: way(),
        give_back: way(),
        pay_in_lines: true,
        extend_in_lines: true,
        accent: text(),
        on_accent: text(),
        logo: Some(text()),
        preheader: Some(text()),
        lines: Template::ALL.into_iter().filter(|template| template.asks()).map(line).collect(),
        news: Template::ALL
            .into_iter()
            .filter(|template| !template.asks())
            .map(|template| happened(template, &text()))
            .collect(),
        events: None,
        table: None,
        letter: None,
    }
}

fn happened(template: Template, text: &str) -> NewsView {
    let text = || text.to_owned();
    let dues = vec![DueView { amount: text(), due_on: Some(text()) }, DueView { amount: text(), due_on: None }];
    NewsView {
        state: template.name(),
        merchant: text(),
        order_id: text(),
        item: Some(text()),
        instalment: Some(1),
        instalments: Some(2),
        day: text(),
        amount: Some(text()),
        until: Some(text()),
        dues,
        settled: true,
    }
}

fn sparsest(template: Template) -> View {
    let mut view = View::default();
    if template.asks() {
        view.lines = vec![LineView { state: template.name(), ..LineView::default() }];
    } else {
        view.news = vec![NewsView { state: template.name(), ..NewsView::default() }];
    }
    view
}
