//! Customers and agreements: the latest record counts, in any order of arrival, and important changes are exceptions.
//! Runs the real program.

use crate::support::{POLICY, Scheme};

const CUSTOMERS: &str = "customer_id,name,email,locale,time_zone,credit_score,real_name_verified,bank_card_bound";
const AGREEMENTS: &str = "agreement_id,customer_id,merchant_id,status,changed_at,score_authorised";
const ORDERS: &str = "order_id,customer_id,amount,currency,ordered_at";

fn write(scheme: &Scheme, name: &str, header: &str, rows: &[&str]) {
    scheme.write(&format!("inbox/{name}"), format!("{header}\n{}\n", rows.join("\n")));
}

fn customer(id: &str, score: &str, card: &str) -> String {
    format!("{id},王芳,{id}@example.com,zh-CN,Asia/Shanghai,{score},true,{card}")
}

/// Returns the outcomes of the orders in a file, in the file's order.
fn outcomes(scheme: &Scheme, file: &str) -> Vec<String> {
    let ack = scheme.ack("orders", file);
    let mut rows = csv::Reader::from_reader(ack.as_bytes());
    rows.records()
        .map(|row| row.unwrap())
        .map(|row| format!("{} {} {}", &row[1], &row[2], &row[3]).trim().to_owned())
        .collect()
}

#[tokio::test]
async fn the_latest_change_of_an_agreement_counts_in_whatever_order_they_come() {
    let story = |scheme: Scheme| {
        write(
            &scheme,
            "customers-2026-03-01.csv",
            CUSTOMERS,
            &[&customer("U1", "700", "true"), &customer("U2", "700", "true")],
        );
        write(&scheme, "agreements-2026-03-01.csv", AGREEMENTS, &["A1,U1,SHOP,open,2026-01-01 09:00:00,true"]);
        write(&scheme, "agreements-2026-03-05.csv", AGREEMENTS, &["A1,U1,SHOP,closed,2026-03-05 09:00:00,false"]);
        // This row is older than the known record. The same row again is a duplicate.
        let older = "A1,U1,SHOP,open,2026-03-02 09:00:00,true";
        write(
            &scheme,
            "agreements-2026-03-06.csv",
            AGREEMENTS,
            &[older, older, "A2,U2,SHOP,open,2026-03-06 09:00:00,true"],
        );
        write(
            &scheme,
            "orders-2026-03-07.csv",
            ORDERS,
            &[
                "T0,U1,10.00,CNY,2026-03-05 12:00:00",
                "T1,U1,10.00,CNY,2026-03-07 12:00:00",
                // Placed before the agreement was closed, with the score that could be queried then.
                "T2,U1,10.00,CNY,2026-03-05 08:00:00",
                // Before and after the agreement was opened.
                "T3,U2,10.00,CNY,2026-03-06 08:59:59",
                "T4,U2,10.00,CNY,2026-03-06 09:00:00",
                "T5,U1,10.00,CNY,2025-12-31 09:00:00",
            ],
        );
        scheme.close("2026-03-07");
        let ack = scheme.ack("agreements", "agreements-2026-03-06.csv");
        assert!(ack.contains("2,A1,accepted") && ack.contains("3,A1,duplicate"), "{ack}");
        let expected = [
            "T0 declined AGREEMENT_CLOSED",
            "T1 declined AGREEMENT_CLOSED",
            "T2 accepted",
            "T3 declined NO_AGREEMENT",
            "T4 accepted",
        ];
        assert_eq!(outcomes(&scheme, "orders-2026-03-07.csv")[..5], expected);
        // The agreement is opened again. Orders from between stay declined; orders from before find the agreement of
        // their time.
        write(&scheme, "agreements-2026-03-08.csv", AGREEMENTS, &["A1,U1,SHOP,open,2026-03-08 09:00:00,true"]);
        write(
            &scheme,
            "orders-2026-03-08.csv",
            ORDERS,
            &[
                "T6,U1,10.00,CNY,2026-03-04 12:00:00",
                "T7,U1,10.00,CNY,2026-03-06 12:00:00",
                "T8,U1,10.00,CNY,2026-03-08 12:00:00",
            ],
        );
        scheme.close("2026-03-08");
        assert_eq!(
            outcomes(&scheme, "orders-2026-03-08.csv"),
            ["T6 accepted", "T7 declined AGREEMENT_CLOSED", "T8 accepted"]
        );
        scheme.run(&["verify"]);
        scheme.read("run/reconciliation/2026-03-08/manifest.json")
    };
    assert_eq!(
        story(Scheme::shop(POLICY)),
        story(Scheme::shop(POLICY).on_postgres().await),
        "the same on both engines"
    );
}

#[test]
fn the_file_with_the_latest_date_says_what_a_customer_is() {
    let scheme = Scheme::shop(POLICY);
    write(&scheme, "agreements-2026-03-01.csv", AGREEMENTS, &["A1,U1,SHOP,open,2026-01-01 09:00:00,true"]);
    write(&scheme, "customers-2026-03-05.csv", CUSTOMERS, &[&customer("U1", "400", "true")]);
    scheme.close("2026-03-05");
    // A file of the 3rd arrives late. Then a file of the 6th has two rows for one customer; the later row counts.
    write(&scheme, "customers-2026-03-03.csv", CUSTOMERS, &[&customer("U1", "700", "true")]);
    write(&scheme, "orders-2026-03-06.csv", ORDERS, &["T1,U1,10.00,CNY,2026-03-06"]);
    scheme.close("2026-03-06");
    assert!(scheme.ack("customers", "customers-2026-03-03.csv").contains("2,U1,accepted"));
    assert_eq!(outcomes(&scheme, "orders-2026-03-06.csv"), ["T1 declined SCORE_TOO_LOW"]);
    write(
        &scheme,
        "customers-2026-03-07.csv",
        CUSTOMERS,
        &[&customer("U1", "300", "true"), &customer("U1", "700", "true")],
    );
    write(&scheme, "orders-2026-03-07.csv", ORDERS, &["T2,U1,10.00,CNY,2026-03-07"]);
    scheme.close("2026-03-07");
    assert_eq!(outcomes(&scheme, "orders-2026-03-07.csv"), ["T2 accepted"]);
}

#[test]
fn what_goes_while_something_is_owed_is_told() {
    let scheme = Scheme::shop(POLICY);
    write(
        &scheme,
        "customers-2026-03-01.csv",
        CUSTOMERS,
        &[&customer("U1", "700", "true"), &customer("U2", "700", "true"), &customer("U3", "700", "true")],
    );
    let agreement = |n: usize| format!("A{n},U{n},SHOP,open,2026-01-01 09:00:00,true");
    let (a1, a2, a3, a4) = (agreement(1), agreement(2), agreement(3), agreement(4));
    write(&scheme, "agreements-2026-03-01.csv", AGREEMENTS, &[&a1, &a2, &a3, &a4]);
    let order = |n: usize| format!("T{n},U{n},{n}0.00,CNY,2026-03-01");
    write(&scheme, "orders-2026-03-01.csv", ORDERS, &[&order(1), &order(2)]);
    scheme.close("2026-03-01");
    let exceptions = |day: &str| scheme.exceptions(day);
    assert_eq!(
        exceptions("2026-03-01"),
        ["UNKNOWN_CUSTOMER 0 agreement A4 names customer U4, who is in no file so far; their orders are declined \
          until a file of customers has them"]
    );
    // U1 owes and closes the agreement, U2 owes and unbinds the card, U3 owes nothing and does both.
    write(
        &scheme,
        "agreements-2026-03-02.csv",
        AGREEMENTS,
        &["A1,U1,SHOP,closed,2026-03-02 09:00:00,true", "A3,U3,SHOP,closed,2026-03-02 09:00:00,true"],
    );
    write(
        &scheme,
        "customers-2026-03-02.csv",
        CUSTOMERS,
        &[&customer("U2", "700", "false"), &customer("U3", "700", "false"), &customer("U4", "700", "true")],
    );
    scheme.close("2026-03-02");
    assert_eq!(
        exceptions("2026-03-02"),
        [
            "CLOSED_WHILE_OWING 0 agreement A1 was closed while its customer owes 10.00 CNY; what is owed stays owed and is \
             collected",
            "CARD_UNBOUND_WHILE_OWING 0 customer U2 no longer has a bank card bound, but owes 20.00 CNY to SHOP; ask them to \
             bind one or to pay by hand",
        ]
    );
    // The card is bound and the agreement opened again.
    write(&scheme, "agreements-2026-03-03.csv", AGREEMENTS, &["A1,U1,SHOP,open,2026-03-03 09:00:00,true"]);
    write(&scheme, "customers-2026-03-03.csv", CUSTOMERS, &[&customer("U2", "700", "true")]);
    scheme.close("2026-03-03");
    assert_eq!(exceptions("2026-03-03"), [""; 0]);
    scheme.run(&["verify"]);
}

#[tokio::test]
async fn what_went_while_something_was_owed_is_settled_by_the_payment() {
    // The fee is 5.00 two days after the due date, and payments pay it last. Payments after 18:00 count for the next
    // day.
    let policy = POLICY
        .replace("term = 7", "term = 2")
        .replace("clock =", "cut_off = \"18:00\"\nallocation = \"principal_first\"\nclock =")
        .replace("{ kind = \"none\" }", "{ kind = \"flat\", amount = \"5.00\", grace = 2 }");
    let story = |scheme: &Scheme| {
        let customers: Vec<String> = (1..=3).map(|n| customer(&format!("U{n}"), "700", "true")).collect();
        write(scheme, "customers-2026-03-01.csv", CUSTOMERS, &customers.iter().map(String::as_str).collect::<Vec<_>>());
        let open = |n: usize| format!("A{n},U{n},SHOP,open,2026-01-01 09:00:00,true");
        write(scheme, "agreements-2026-03-01.csv", AGREEMENTS, &[&open(1), &open(2), &open(3)]);
        // U1 has two orders.
        let order = |id: &str, n: usize| format!("{id},U{n},10.00,CNY,2026-03-01 09:00:00");
        write(
            scheme,
            "orders-2026-03-01.csv",
            ORDERS,
            &[&order("T1", 1), &order("S1", 1), &order("T2", 2), &order("T3", 3)],
        );
        let closed = |n: usize| format!("A{n},U{n},SHOP,closed,2026-03-02 09:00:00,true");
        write(scheme, "agreements-2026-03-02.csv", AGREEMENTS, &[&closed(1), &closed(3)]);
        write(scheme, "customers-2026-03-02.csv", CUSTOMERS, &[&customer("U2", "700", "false")]);
        let payments = "payment_id,order_id,amount,currency,paid_at";
        write(
            scheme,
            "payments-2026-03-03.csv",
            payments,
            &["P1,T1,10.00,CNY,2026-03-03", "P2,T2,10.00,CNY,2026-03-03 19:00:00"],
        );
        write(scheme, "payments-2026-03-04.csv", payments, &["P3,S1,10.00,CNY,2026-03-04"]);
        // The principal is paid, and the fee of the 5th is left.
        write(scheme, "payments-2026-03-06.csv", payments, &["P4,T3,10.00,CNY,2026-03-06"]);
        write(scheme, "payments-2026-03-07.csv", payments, &["P5,T3,5.00,CNY,2026-03-07"]);
        scheme.close("2026-03-07");
        for (day, expected) in [
            ("02", "CARD_UNBOUND_WHILE_OWING U2, CLOSED_WHILE_OWING A1, CLOSED_WHILE_OWING A3"),
            // The payment of the evening counts for the 4th.
            ("03", "CARD_UNBOUND_WHILE_OWING U2, CLOSED_WHILE_OWING A1, CLOSED_WHILE_OWING A3"),
            ("04", "CLOSED_WHILE_OWING A3"),
            ("06", "CLOSED_WHILE_OWING A3"),
            ("07", ""),
        ] {
            let opened = scheme.exceptions(&format!("2026-03-{day}"));
            let of = |row: &String| {
                let words: Vec<&str> = row.split_whitespace().collect();
                format!("{} {}", words[0], words[3])
            };
            let mut opened: Vec<String> = opened.iter().map(of).collect();
            opened.sort();
            assert_eq!(opened.join(", "), expected, "{day}");
        }
        scheme.run(&["verify"]);
        scheme.read("run/reconciliation/2026-03-07/manifest.json")
    };
    let on_sqlite = story(&Scheme::shop(&policy));
    assert_eq!(on_sqlite, story(&Scheme::shop(&policy).on_postgres().await), "the same on both engines");
}
