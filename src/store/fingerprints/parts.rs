//! The tables that a seal covers: which rows belong to a day, and which columns never change after that day.

/// A column, by what it holds.
pub enum Column {
    Text(&'static str),
    Number(&'static str),
    Flag(&'static str),
    Day(&'static str),
    Instant(&'static str),
}
use Column::{Day, Flag, Instant, Number, Text};

impl Column {
    pub fn sql(&self) -> &'static str {
        match *self {
            Text(sql) | Number(sql) | Flag(sql) | Day(sql) | Instant(sql) => sql,
        }
    }

    /// The name of the column, without what is asked or computed around it.
    pub fn name(&self) -> &'static str {
        let (_, sql) = self.sql().split_once(" THEN ").unwrap_or(("", self.sql()));
        let (name, _) = sql.split_once(' ').unwrap_or((sql, ""));
        name.split_once('.').map_or(name, |(_, name)| name)
    }
}

/// A merchant's rows of a day in one table. `$1` is the merchant, `$2` the day; the entries of the day are those after
/// `$3`, through `$4`.
pub struct Part {
    pub name: &'static str,
    pub from: &'static str,
    pub columns: &'static [Column],
    /// The key, which orders the rows.
    pub key: &'static str,
    /// The name of a row, as SQL.
    pub called: &'static str,
}

impl Part {
    /// Whether the rows are found through the day's entries, so that a range of entries can be read at a time.
    pub fn is_by_entry(&self) -> bool {
        self.from.contains("$3")
    }
}

const ORDER: &[Column] = &[
    Text("o.order_id"),
    Text("o.customer_id"),
    Number("o.amount_minor"),
    Text("o.currency"),
    Instant("o.ordered_at"),
    Day("o.ordered_on"),
    Text("o.item"),
    Text("o.declined"),
    Number("o.credit_score"),
    Text("o.agreement_id"),
    Number("o.term"),
    Day("o.policy_version"),
    Number("o.content"),
    Day("o.booked_on"),
    Number("o.file_no"),
    Number("o.line"),
];

const FACT: &[Column] = &[
    Text("order_id"),
    Text("kind"),
    Text("fact_id"),
    Instant("effective_at"),
    Day("effective_on"),
    Number("amount_minor"),
    Number("days"),
    Day("ends_on"),
    Text("detail"),
    Text("note"),
    Flag("suspended"),
    Number("content"),
    Number("file_no"),
    Number("line"),
];

/// The number of a file's rows with this outcome at the end of the day, without rows that reached the outcome later.
macro_rules! then {
    ($outcome:literal) => {
        Number(concat!(
            $outcome,
            " - (SELECT COUNT(*) FROM input_row r WHERE r.file_no = f.file_no AND r.content <> ''",
            " AND r.resolved_on > $2 AND r.outcome = '",
            $outcome,
            "')"
        ))
    };
}

pub const JOURNAL: Part = Part {
    name: "journal",
    from: "journal j WHERE j.merchant_id = $1 AND j.entry_no > $3 AND j.entry_no <= $4",
    columns: &[
        Number("j.entry_no"),
        Day("j.business_date"),
        Day("j.effective_on"),
        Text("j.kind"),
        Text("j.order_id"),
        Number("j.instalment"),
        Text("j.currency"),
        Number("j.debit_account"),
        Number("j.credit_account"),
        Number("j.amount_minor"),
        Text("j.cause"),
        Number("j.file_no"),
        Number("j.line"),
        Day("j.policy_version"),
        Text("j.reason"),
    ],
    key: "entry_no",
    called: "'entry ' || merchant_id || '-' || entry_no || ' of order ' || order_id",
};

/// Orders are found through the journal entry that booked them.
pub const ORDERS: Part = Part {
    name: "orders",
    from: "journal j JOIN orders o ON o.merchant_id = j.merchant_id AND o.order_id = j.order_id
           WHERE j.merchant_id = $1 AND j.entry_no > $3 AND j.entry_no <= $4
           AND j.kind = 'order' AND j.instalment = 1 AND j.reason = 'new'",
    columns: ORDER,
    key: "j.entry_no",
    called: "'order ' || o.order_id",
};

/// The entries of `JOURNAL`, each with the order of `ORDERS` that it booked, if any. SQLite seeks no order for other entries,
/// because nothing equals NULL.
pub const JOURNAL_WITH_ORDERS: &str = "journal j LEFT JOIN orders o ON o.merchant_id = j.merchant_id
    AND o.order_id = CASE WHEN j.kind = 'order' AND j.instalment = 1 AND j.reason = 'new' THEN j.order_id END
    WHERE j.merchant_id = $1 AND j.entry_no > $3 AND j.entry_no <= $4";

/// The same for PostgreSQL. OFFSET keeps it from joining all orders with each range of entries: it plans once for ranges of
/// any size.
pub const JOURNAL_WITH_ORDERS_ON_POSTGRES: &str = "journal j LEFT JOIN LATERAL (
        SELECT * FROM orders o WHERE o.merchant_id = j.merchant_id AND o.order_id = j.order_id
        AND j.kind = 'order' AND j.instalment = 1 AND j.reason = 'new' OFFSET 0
    ) o ON TRUE
    WHERE j.merchant_id = $1 AND j.entry_no > $3 AND j.entry_no <= $4";

/// The parts that are read apart from `JOURNAL` and `ORDERS`.
pub const OTHER_PARTS: &[Part] = PARTS.split_at(2).1;

pub const PARTS: &[Part] = &[
    JOURNAL,
    ORDERS,
    Part {
        name: "declined orders",
        from: "input_row r JOIN orders o ON o.merchant_id = r.merchant_id AND o.order_id = r.order_id
               WHERE r.merchant_id = $1 AND r.opened_on = $2 AND r.kind = 'orders' AND r.outcome = 'declined'",
        columns: ORDER,
        key: "r.file_no, r.line",
        called: "'order ' || o.order_id",
    },
    Part {
        name: "payments and refunds",
        from: "fact WHERE merchant_id = $1 AND booked_on = $2 AND kind IN ('payment', 'refund')",
        columns: FACT,
        key: "order_id, kind, fact_id",
        called: "kind || ' ' || fact_id || ' of order ' || order_id",
    },
    Part {
        name: "chargebacks",
        from: "fact WHERE merchant_id = $1 AND booked_on = $2 AND kind = 'chargeback'",
        columns: FACT,
        key: "order_id, kind, fact_id",
        called: "kind || ' ' || fact_id || ' of order ' || order_id",
    },
    Part {
        name: "other facts",
        from: "fact WHERE merchant_id = $1 AND booked_on = $2 AND kind NOT IN ('payment', 'refund', 'chargeback')",
        columns: FACT,
        key: "order_id, kind, fact_id",
        called: "kind || ' ' || fact_id || ' of order ' || order_id",
    },
    Part {
        name: "corrections",
        from: "correction WHERE merchant_id = $1 AND booked_on = $2",
        columns: &[
            Text("correction_id"),
            Text("order_id"),
            Text("kind"),
            Text("fact_id"),
            Text("action"),
            Instant("corrected_at"),
            Text("reason"),
            Text("approved_by"),
            Instant("effective_at"),
            Day("effective_on"),
            Number("amount_minor"),
            Number("days"),
            Day("ends_on"),
            // Without a channel, as before there was any.
            Text("CASE WHEN channel IS NULL THEN detail ELSE 'by ' || channel END"),
            Number("content"),
            Number("file_no"),
            Number("line"),
        ],
        key: "correction_id",
        called: "'correction ' || correction_id || ' of order ' || order_id",
    },
    Part {
        name: "credit record",
        from: "credit_step WHERE merchant_id = $1 AND since = $2",
        columns: &[
            Text("order_id"),
            Number("instalment"),
            Number("step_no"),
            Text("status"),
            Number("days_past_due"),
            Number("amount_minor"),
            Text("reason"),
        ],
        key: "order_id, instalment, step_no",
        called: "'step ' || step_no || ' of order ' || order_id || ', instalment ' || instalment",
    },
    Part {
        name: "balances",
        from: "account_balance WHERE merchant_id = $1 AND business_date = $2",
        columns: &[
            Text("currency"),
            Number("account"),
            Number("opening_minor"),
            Number("debits_minor"),
            Number("credits_minor"),
            Number("closing_minor"),
        ],
        key: "currency, account",
        called: "(SELECT name FROM account WHERE code = account_balance.account) || ' in ' || currency",
    },
    Part {
        name: "end of the journal",
        from: "merchant_day WHERE merchant_id = $1 AND business_date = $2",
        columns: &[Number("last_entry_no")],
        key: "merchant_id",
        called: "'the last entry, ' || last_entry_no",
    },
    Part {
        name: "files",
        from: "file f WHERE merchant_id = $1 AND business_date = $2",
        columns: &[
            Number("file_no"),
            Text("feed"),
            Text("kind"),
            Text("provider"),
            Text("name"),
            Text("kept_as"),
            Text("sha256"),
            Day("dated_on"),
            Number("number"),
            Number("retry_of"),
            Text("status"),
            Text("code"),
            Text("message"),
            Number("read_rows"),
            then!("accepted"),
            then!("declined"),
            then!("duplicate"),
            then!("conflict"),
            then!("rejected"),
            Number(
                "pending + (SELECT COUNT(*) FROM input_row r WHERE r.file_no = f.file_no AND r.content <> '' AND r.resolved_on > $2)",
            ),
        ],
        key: "file_no",
        called: "'file ' || name",
    },
    Part {
        name: "rows of files",
        from: "input_row WHERE merchant_id = $1 AND opened_on = $2",
        columns: &[
            Number("file_no"),
            Number("line"),
            Text("kind"),
            Text("row_key"),
            Text("order_id"),
            Text("content"),
            Number("fingerprint"),
            Number("amount_minor"),
            Text("currency"),
            Text("CASE WHEN content = '' THEN outcome END"),
            Text("CASE WHEN content = '' THEN code END"),
            Text("CASE WHEN content = '' THEN message END"),
        ],
        key: "file_no, line",
        called: "'line ' || line || ' of file ' || (SELECT f.name FROM file f WHERE f.file_no = input_row.file_no)",
    },
    Part {
        name: "rows that waited",
        from: "input_row WHERE merchant_id = $1 AND resolved_on = $2",
        columns: &[Number("file_no"), Number("line"), Text("outcome"), Text("code"), Text("message")],
        key: "file_no, line",
        called: "'line ' || line || ' of file ' || (SELECT f.name FROM file f WHERE f.file_no = input_row.file_no)",
    },
    Part {
        name: "exceptions opened",
        from: "exception WHERE merchant_id = $1 AND opened_on = $2",
        columns: &[
            Number("exception_no"),
            Text("code"),
            Text("row_key"),
            Text("order_id"),
            Number("file_no"),
            Number("line"),
            Number("amount_minor"),
            Text("currency"),
            Text("message"),
        ],
        key: "exception_no",
        called: "'exception ' || exception_no || ', ' || code",
    },
    Part {
        name: "exceptions numbered",
        from: "exception WHERE merchant_id = $1 AND numbered_on = $2",
        columns: &[Number("exception_no"), Number("report_no")],
        key: "exception_no",
        called: "'exception ' || exception_no || ', ' || code",
    },
    Part {
        name: "exceptions closed",
        from: "exception WHERE merchant_id = $1 AND resolved_on = $2",
        columns: &[Number("exception_no"), Text("resolution")],
        key: "exception_no",
        called: "'exception ' || exception_no || ', ' || code",
    },
    Part {
        name: "instructions",
        from: "instruction WHERE merchant_id = $1 AND direction IN ('debit', 'pay_out') AND instructed_on = $2",
        columns: &[
            Text("instruction_id"),
            Text("direction"),
            Text("order_id"),
            Number("instalment"),
            Number("attempt"),
            Number("amount_minor"),
            Text("currency"),
            Day("due_on"),
        ],
        key: "instruction_id",
        called: "'instruction ' || instruction_id",
    },
    Part {
        name: "rows of bills",
        from: "provider_line WHERE merchant_id = $1 AND business_date = $2 AND amount_minor > 0",
        columns: &[
            Text("event"),
            Text("event_key"),
            Text("order_id"),
            Number("amount_minor"),
            Text("currency"),
            Number("fee_minor"),
            Text("transaction_id"),
            Text("provider"),
            Day("occurred_on"),
            Day("opened_on"),
            Number("file_no"),
            Number("line"),
        ],
        key: "event, event_key, order_id, amount_minor, currency",
        called: "event || ' ' || event_key || ' in the bill'",
    },
    Part {
        name: "rows of bills matched",
        from: "provider_line WHERE merchant_id = $1 AND settled_on = $2",
        columns: &[Text("event"), Text("event_key"), Text("order_id"), Number("amount_minor"), Text("currency")],
        key: "event, event_key, order_id, amount_minor, currency",
        called: "event || ' ' || event_key || ' in the bill'",
    },
    Part {
        name: "rows of bills that failed",
        from: "provider_line WHERE merchant_id = $1 AND failed_on = $2",
        columns: &[Text("event"), Text("event_key"), Text("order_id"), Number("amount_minor"), Text("currency")],
        key: "event, event_key, order_id, amount_minor, currency",
        called: "event || ' ' || event_key || ' in the bill'",
    },
    Part {
        name: "expected in bills",
        from: "awaited_line WHERE merchant_id = $1 AND booked_on = $2 AND amount_minor > 0",
        columns: &[
            Text("event"),
            Text("event_key"),
            Text("order_id"),
            Number("amount_minor"),
            Text("currency"),
            Text("provider"),
            Day("late_on"),
        ],
        key: "event, event_key",
        called: "event || ' ' || event_key",
    },
    Part {
        name: "sealed files",
        from: "sealed_file WHERE $1 = '' AND business_date = $2",
        columns: &[Text("name"), Number("row_count"), Text("totals"), Text("sha256")],
        key: "name",
        called: "'file ' || name",
    },
    Part {
        name: "seal",
        from: "sealed_day WHERE $1 = '' AND business_date = $2",
        columns: &[Number("sequence"), Text("previous_seal"), Text("seal"), Text("buckets")],
        key: "business_date",
        called: "'the seal'",
    },
];
