//! The formats of other senders: the rows that each profile reads from a file, the files that are refused, and the
//! outcomes of rejected rows. The files in `tests/profiles` are invented. They are in UTF-8, and the tests convert them
//! to the format's encoding.

use std::fs;
use std::path::Path;

use crate::support::{AGREEMENTS, CUSTOMERS, Scheme};

const POLICY: &str = r#"
[[version]]
effective_from = "2026-01-01"
currency = "CNY"
clock = "ordered"
bands = [ { score = 500, limit = "5000.00", term = 7 } ]
late_fee = { kind = "none" }
"#;

/// A shop with a feed for every profile.
fn shop() -> Scheme {
    let scheme = Scheme::shop(POLICY);
    let mut config = scheme.read("paylater.toml");
    for (feed, kind, profile) in [
        ("alipay", "bills", "alipay-merchant-bill"),
        ("wechat", "bills", "wechat-trade-bill"),
        ("klarna", "bills", "klarna-settlement"),
        ("shop", "orders", "shop-export"),
        ("jd", "bills", "jd-pay-later.toml"),
        ("bank", "payments", "bank.toml"),
        ("excel", "payments", "excel.toml"),
    ] {
        config.push_str(&format!(
            "[[feed]]\nname = \"{feed}\"\nfolder = \"inbox\"\npattern = \"{feed}-{{date}}*.csv\"\nkind = \"{kind}\"\n\
             profile = \"{profile}\"\nsettle_seconds = 0\nreject_limit = {{ rows = 1000000 }}\nmerchant = \"SHOP\"\n"
        ));
    }
    scheme.write("paylater.toml", config);
    for profile in ["jd-pay-later.toml", "bank.toml"] {
        scheme.write(profile, sample(profile));
    }
    scheme.write(
        "excel.toml",
        "about = \"Text that Excel saves as Unicode.\"\nencoding = \"utf-16\"\ndelimiter = \"tab\"\n",
    );
    scheme
}

fn sample(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/profiles").join(name)).unwrap()
}

fn gbk(text: &str) -> Vec<u8> {
    let (bytes, _, unmappable) = encoding_rs::GB18030.encode(text);
    assert!(!unmappable);
    bytes.into_owned()
}

fn utf16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Returns the output of `check` for a file, and its exit status.
fn check(scheme: &Scheme, feed: &str, bytes: &[u8]) -> (String, Option<i32>) {
    scheme.write("file.csv", bytes);
    let file = scheme.path("file.csv");
    let output = scheme.command(&["check", "--feed", feed, "--file", file.to_str().unwrap()]).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (told.replace(&format!("{}/", scheme.folder.path().display()), ""), output.status.code())
}

#[test]
fn each_profile_reads_its_format() {
    let scheme = shop();
    for (name, feed, is_gbk, status) in [
        ("alipay", "alipay", true, 0),
        ("wechat-all", "wechat", false, 0),
        ("wechat-older", "wechat", false, 0),
        ("wechat-refund", "wechat", false, 0),
        ("wechat-success", "wechat", true, 0),
        ("klarna", "klarna", false, 0),
        ("shop", "shop", false, 1),
        ("jd", "jd", false, 1),
    ] {
        let text = sample(&format!("{name}.csv"));
        let bytes = if is_gbk { gbk(&text) } else { text.replace('\n', "\r\n").into_bytes() };
        let (told, ended) = check(&scheme, feed, &bytes);
        assert_eq!(ended, Some(status), "{told}");
        insta::assert_snapshot!(format!("profile_{name}"), told);
    }
}

#[test]
fn a_file_that_contradicts_itself_is_refused_with_both_figures() {
    let scheme = shop();
    let (alipay, wechat, klarna) = (sample("alipay.csv"), sample("wechat-all.csv"), sample("klarna.csv"));
    let at_end = format!(
        "FILE_ENCODING: byte {} is not GB18030; save the file as GB18030 and send it again",
        gbk(&alipay).len()
    );
    let half = alipay.find("#-----------------------------------------业务明细列表结束").unwrap();
    for (feed, bytes, says) in [
        (
            "alipay",
            gbk(&alipay.replace("共1235.00元", "共1235.01元")),
            "FILE_TOTALS: line 10 states a total of \"1235.01\" for 商家实收（元） with 业务类型 交易, but the rows add up to \
             1235.00; create the file again",
        ),
        (
            "alipay",
            gbk(&alipay.replace("退款合计：1笔", "退款合计：2笔")),
            "FILE_TOTALS: line 11 states \"2\" rows with 业务类型 退款, but the file has 1; create the file again",
        ),
        (
            "alipay",
            gbk(&alipay[..half]),
            "FILE_TRUNCATED: the end line \"#*业务明细列表结束*\" is missing: the file is incomplete; send it again",
        ),
        (
            "alipay",
            gbk(&alipay.replace("#交易合计：2笔", "#2笔")),
            "FILE_TRUNCATED: the line \"#交易合计：{count}笔，商家实收共{sum}元，*\" is missing: the file is incomplete; send it again",
        ),
        (
            "alipay",
            gbk(&alipay.repeat(2)),
            "FILE_TOTALS: line 17 is a row after the end of the file; if two files were joined, send each alone",
        ),
        ("alipay", [gbk(&alipay), b"\xff\xff".to_vec()].concat(), &at_end),
        (
            "wechat",
            wechat.replace("`29.90,`0.00,`0.24000", "`29.91,`0.00,`0.23000").into_bytes(),
            "FILE_TOTALS: line 7 states a total of \"29.91\" for 退款金额, but the rows add up to 29.90; line 7 states a total of \
             \"0.23000\" for 手续费, but the rows add up to 0.24000; create the file again",
        ),
        (
            "wechat",
            wechat.lines().take(4).collect::<Vec<_>>().join("\n").into_bytes(),
            "FILE_TRUNCATED: the total 总交易单数 is missing: the file is incomplete; send it again",
        ),
        (
            "wechat",
            wechat.replace("`9.90,`0.00,`ORIGINAL", "`九块九,`0.00,`ORIGINAL").into_bytes(),
            "FILE_TOTALS: line 4, column 退款金额, value \"九块九\": not an amount, so the file's totals cannot be compared",
        ),
        (
            "wechat",
            utf16(&wechat),
            "FILE_ENCODING: the file begins with a UTF-16 byte order mark, but this feed is not UTF-16; save the file as UTF-8 \
             and send it again",
        ),
        (
            "wechat",
            wechat.replace("交易状态", "状态").into_bytes(),
            "FILE_COLUMN_MISSING: none of the first 200 lines is the header that the profile wechat-trade-bill looks for; nearest \
             is line 1, which lacks the column(s) 交易状态 (event)",
        ),
        (
            "wechat",
            sample("jd.csv").into_bytes(),
            "FILE_COLUMN_MISSING: none of the first 200 lines is the header that the profile wechat-trade-bill looks for; \
             nearest is line 8, which lacks the column(s) 微信订单号 (transaction_id), 商户订单号 (order_id), 应结订单金额 or \
             总金额 or 订单金额 (amount), 货币种类 (currency)",
        ),
        (
            "klarna",
            klarna.replace("150.00;4.50", "151.00;4.50").into_bytes(),
            "FILE_TOTALS: line 2 states a total of \"151.00\" for amount with type SALE, but the rows add up to 150.00; create the \
             file again",
        ),
        (
            "klarna",
            format!("{klarna}\"SALE;R-1").into_bytes(),
            "FILE_TRUNCATED: the file ends inside a quote that opens in its last line, 8: the file is incomplete, or the \
             quote is a mistake; correct the file and send it again",
        ),
        ("klarna", Vec::new(), "FILE_EMPTY: the file is empty; a file without rows still needs a header"),
        (
            "excel",
            b"payment_id\torder_id".to_vec(),
            "FILE_ENCODING: the file does not begin with a UTF-16 byte order mark, so its encoding is uncertain; save it as \
             UTF-16 with a byte order mark and send it again",
        ),
    ] {
        let (told, ended) = check(&scheme, feed, &bytes);
        assert!(told.contains(&format!("The file would be quarantined: {says}")), "{says}\n{told}");
        assert_eq!(ended, Some(1), "{told}");
    }
}

const ORDERS: &str = "order_id,customer_id,amount,currency,ordered_at
O1,C1,2000.00,CNY,2026-03-01
O2,C1,100.00,CNY,2026-03-01
";
const BANK: &str = "某某银行\n对账单 \"2026-03-02\"\n\n流水号;订单号;金额;时间;方式\n\
                    `P1;O1;¥1,234.50;2026/3/2 9:05;微信\n`P2;O2;￥20;2026/03/02 10:30;-\n`P3;O2;1;二号;-\n\
                    合计;3;1255.50\n*** END ***\n";

fn with_orders() -> Scheme {
    let scheme = shop();
    scheme.write("inbox/customers-2026-03-01.csv", CUSTOMERS);
    scheme.write("inbox/agreements-2026-03-01.csv", AGREEMENTS);
    scheme.write("inbox/orders-2026-03-01.csv", ORDERS);
    scheme
}

#[test]
fn rows_are_answered_by_their_lines_and_rejected_ones_are_dropped_in_again_as_they_are() {
    let scheme = with_orders();
    scheme.write("inbox/bank-2026-03-02.csv", gbk(BANK));
    scheme.close("2026-03-02");
    let ack = scheme.read("run/outbox/bank/bank-2026-03-02.csv.ack.csv");
    assert_eq!(
        ack,
        "line,key,outcome,code,message\n5,P1,accepted,,\n6,P2,accepted,,\n7,P3,rejected,BAD_TIME,\"column 时间 (paid_at), value \
         \"\"二号\"\": write it like 2026/03/09 14:30, with a date that exists\"\n"
    );
    let rejects = scheme.read("run/outbox/bank/bank-2026-03-02.csv.rejects.csv");
    assert!(
        rejects.starts_with("\u{feff}流水号;订单号;金额;时间;方式;code;message\n`P3;O2;1;二号;-;BAD_TIME;"),
        "{rejects}"
    );
    // The corrected time has the sender's format or paylater's. The second file has lost its byte order mark, as
    // happens in some editors.
    let mended = rejects.replace("二号", "2026/3/2 11:00");
    let unmarked =
        mended.trim_start_matches('\u{feff}').replace("P3", "P4").replace("2026/3/2 11:00", "2026-03-02 11:00:00");
    let files = [("bank-2026-03-03-marked.csv", mended), ("bank-2026-03-03-unmarked.csv", unmarked)];
    for (name, text) in &files {
        scheme.write(&format!("inbox/{name}"), text);
    }
    scheme.close("2026-03-03");
    for (name, _) in files {
        let ack = scheme.read(&format!("run/outbox/bank/{name}.ack.csv"));
        assert!(ack.ends_with("accepted,,\n") && ack.lines().count() == 2, "{name}: {ack}");
    }
    scheme.run(&["verify"]);
}

#[test]
fn a_rejected_row_may_be_rejected_again() {
    let scheme = with_orders();
    scheme.write("inbox/bank-2026-03-02.csv", gbk(BANK));
    scheme.close("2026-03-02");
    let rejects = scheme.read("run/outbox/bank/bank-2026-03-02.csv.rejects.csv");
    scheme.write("inbox/bank-2026-03-03.csv", rejects.replace("二号", "三号"));
    scheme.close("2026-03-03");
    let again = scheme.read("run/outbox/bank/bank-2026-03-03.csv.rejects.csv");
    scheme.write("inbox/bank-2026-03-04.csv", again.replace("三号", "2026-03-02 11:00:00"));
    scheme.close("2026-03-04");
    let ack = scheme.read("run/outbox/bank/bank-2026-03-04.csv.ack.csv");
    assert_eq!(ack, "line,key,outcome,code,message\n2,P3,accepted,,\n");
}

#[test]
fn rejected_rows_come_back_whatever_the_senders_quotes_and_columns() {
    let plain = "about = \"x\"\ndelimiter = \";\"\nquote = \"'\"\n";
    let named = format!(
        "{plain}kind = \"payments\"\n[columns]\npayment_id = \"id\"\norder_id = \"order\"\namount = \"sum\"\n\
         currency = \"money\"\npaid_at = \"at\"\nchannel = \"message\"\n"
    );
    for (profile, header) in
        [(plain, "payment_id;order_id;amount;currency;paid_at;channel"), (&*named, "id;order;sum;money;at;message")]
    {
        let scheme = with_orders();
        scheme.write("excel.toml", profile);
        scheme.write("inbox/excel-2026-03-02.csv", format!("{header}\nP1;O1;5.005;CNY;2026-03-02;'a;b \"c\"'\n"));
        scheme.close("2026-03-02");
        let rejects = scheme.read("run/outbox/excel/excel-2026-03-02.csv.rejects.csv");
        scheme.write("inbox/excel-2026-03-03.csv", rejects.replacen("5.005", "5.00", 1));
        scheme.close("2026-03-03");
        let ack = scheme.read("run/outbox/excel/excel-2026-03-03.csv.ack.csv");
        assert_eq!(ack, "line,key,outcome,code,message\n2,P1,accepted,,\n", "{rejects}");
    }
}

#[test]
fn a_file_whose_totals_are_wrong_counts_for_nothing() {
    let scheme = with_orders();
    scheme.write("inbox/bank-2026-03-02.csv", gbk(&BANK.replace("1255.50", "1255.49")));
    scheme.write("inbox/bank-2026-03-02-cut.csv", gbk(&BANK.replace("*** END ***", "*** EN")));
    scheme.close("2026-03-02");
    for (name, code) in [("bank-2026-03-02.csv", "FILE_TOTALS"), ("bank-2026-03-02-cut.csv", "FILE_TRUNCATED")] {
        let ack = scheme.read(&format!("run/outbox/bank/{name}.ack.csv"));
        assert!(ack.contains(&format!("0,,quarantined,{code},")), "{ack}");
        assert!(scheme.path(&format!("run/quarantine/bank/{name}")).exists());
    }
    let summary = scheme.read("run/reconciliation/2026-03-02/SHOP_2026-03-02_summary.csv");
    assert!(!summary.contains("1234.50"), "{summary}");
}

#[test]
fn a_comma_in_a_name_costs_no_row_and_a_refund_that_failed_is_void() {
    let scheme = shop();
    let all = sample("wechat-all.csv");
    let (told, status) = check(&scheme, "wechat", all.replacen("`茶杯,", "`茶杯, 250 ml,白,", 1).as_bytes());
    assert!(status == Some(0) && told.contains("4 rows: 4 readable, 0 set aside, 0 rejected"), "{told}");
    let (told, status) = check(&scheme, "wechat", all.replace("PROCESSING", "FAIL").as_bytes());
    assert!(status == Some(0) && told.contains("4 rows: 4 readable, 0 set aside, 0 rejected"), "{told}");
    // The refund is in process in one bill and failed in the next, so it no longer counts.
    scheme.write("inbox/wechat-2026-03-01.csv", &all);
    scheme.close("2026-03-01");
    scheme.write("inbox/wechat-2026-03-02.csv", all.replace("PROCESSING", "FAIL"));
    scheme.close("2026-03-02");
    let ack = scheme.ack("wechat", "wechat-2026-03-02.csv");
    assert!(ack.contains("5,") && ack.contains(",accepted,,"), "{ack}");
}

const STATUS: &str = "about = \"x\"\nkind = \"payments\"\n[columns]\npayment_id = \"id\"\norder_id = \"order\"\n\
                      amount = \"sum\"\ncurrency = { constant = \"CNY\" }\npaid_at = \"at\"\n\
                      [[set_aside]]\nwhen = { status = \"FAILED\" }\nwhy = \"not paid\"\n\
                      [[set_aside]]\nwhen = { status = \"OPEN\" }\nwhy = \"not paid yet\"\n";

#[test]
fn a_column_that_tells_rows_apart_must_be_there() {
    let scheme = shop();
    let file = |header: &str| {
        format!("{header}\nP1,O1,5.00,2026-03-01,PAID\nP2,O2,5.00,2026-03-01,FAILED\nP3,O3,5.00,2026-03-01,OPEN\n")
    };
    scheme.write("excel.toml", STATUS);
    let (told, status) = check(&scheme, "excel", file("id,order,sum,at,status").as_bytes());
    assert!(status == Some(0) && told.contains("3 rows: 1 readable, 2 set aside, 0 rejected"), "{told}");
    // Every reason is reported, not only the first.
    for reason in ["1 set aside as SET_ASIDE, first line 3: not paid;", "first line 4: not paid yet;"] {
        assert!(told.contains(reason), "{told}");
    }
    let renamed = file("id,order,sum,at,Status");
    let (told, status) = check(&scheme, "excel", renamed.as_bytes());
    assert!(
        status == Some(1) && told.contains("FILE_COLUMN_MISSING: a file of payments needs the column(s) status;"),
        "{told}"
    );
    scheme.write("excel.toml", STATUS.replace("why = ", "optional = true\nwhy = "));
    let (told, status) = check(&scheme, "excel", renamed.as_bytes());
    assert!(status == Some(0) && told.contains("3 rows: 3 readable"), "{told}");
    let total = "[[total]]\nline = \"sum {sum}\"\nsum = \"amuont\"\n";
    scheme.write("excel.toml", format!("{STATUS}{total}"));
    let (told, status) = check(&scheme, "excel", file("id,order,sum,at,status").as_bytes());
    assert!(status == Some(1) && told.contains("needs the column(s) amuont;"), "{told}");
}

#[test]
fn totals_are_written_as_amounts_are_and_amounts_in_one_way() {
    let scheme = shop();
    let german = "about = \"x\"\nkind = \"payments\"\ndelimiter = \";\"\ntimes = [\"%d.%m.%Y\"]\n\
                  [cells]\nthousands = \".\"\ndecimal = \",\"\n[columns]\npayment_id = \"id\"\norder_id = \"order\"\n\
                  amount = \"sum\"\ncurrency = { constant = \"CNY\" }\npaid_at = \"at\"\n\
                  [[total]]\nline = \"Summe;{count};{sum}\"\nsum = \"sum\"\n";
    let file = |amount: &str, said: &str| format!("id;order;sum;at\nP1;O1;{amount};01.03.2026\nSumme;1;{said}\n");
    scheme.write("excel.toml", german);
    for (amount, said, says) in [
        ("12.400,00", "12.400,00", "total of sum: the file says 12.400,00, holds 12400.00"),
        (
            "12.400,00",
            "124,00",
            "FILE_TOTALS: line 3 states a total of \"124,00\" for sum, but the rows add up to 12400.00",
        ),
        ("1,50", "1,50", "The file would be taken"),
        (
            "1,50",
            "1.50",
            "FILE_TOTALS: line 3 states a total of \"1.50\" for sum, which is not an amount in this format",
        ),
        ("12.34", "12,34", "not an amount, so the file's totals cannot be compared"),
    ] {
        let (told, _) = check(&scheme, "excel", file(amount, said).as_bytes());
        assert!(told.contains(says), "{amount} {said}: {told}");
    }
    let (rows, totals) = (german.split_once("[[total]]").unwrap().0, "Summe;1;1,50\n");
    scheme.write("excel.toml", rows);
    for amount in ["12.34", "0.001", "1.2.345,00"] {
        let (told, _) = check(&scheme, "excel", file(amount, "1,50").replace(totals, "").as_bytes());
        let says = format!(
            "1 rejected as BAD_AMOUNT, first line 2: column sum (amount), value \"{amount}\": not an amount in this format, \
             such as 1.250,90"
        );
        assert!(told.contains(&says), "{amount}: {told}");
    }
    let (told, _) =
        check(&scheme, "excel", file("1,50", "1,50").replace(totals, "").replace("01.03.2026", "3/1/26").as_bytes());
    assert!(
        told.contains("column at (paid_at), value \"3/1/26\": write it like 09.03.2026, with a date that exists"),
        "{told}"
    );
    scheme.write("excel.toml", rows.replace("decimal = \",\"", "minor_digits = 2"));
    let (told, _) = check(&scheme, "excel", file("1.250", "1,50").replace(totals, "").as_bytes());
    assert!(told.contains("amount 12.50 CNY"), "{told}");
}

#[test]
fn a_fee_may_be_written_the_other_way_round() {
    let scheme = shop();
    let alipay = fs::read_to_string("profiles/alipay-merchant-bill.toml").unwrap();
    let (fee, reversed) = ("fee = \"服务费（元）\"", "fee = { from = \"服务费（元）\", sign = \"reversed\" }");
    assert!(alipay.contains(fee));
    scheme.write("jd-pay-later.toml", alipay.replace(fee, reversed));
    let charged = sample("alipay.csv").replace(",7.08,", ",-7.08,");
    let (told, status) = check(&scheme, "jd", &gbk(&charged));
    assert!(status == Some(0) && told.contains("fee 7.08 CNY"), "{told}");
}

#[test]
fn what_a_profile_sets_aside_is_declined_with_its_reason() {
    let scheme = with_orders();
    scheme.write("inbox/shop-2026-03-02.csv", sample("shop.csv").replace("EUR", "CNY"));
    scheme.close("2026-03-02");
    let ack = scheme.read("run/outbox/shop/shop-2026-03-02.csv.ack.csv");
    assert_eq!(
        ack,
        "line,key,outcome,code,message\n2,#1001,accepted,,\n3,#1001,declined,SET_ASIDE,a further item of the order above; the \
         profile shop-export sets such rows aside\n4,#1002,rejected,BAD_AMOUNT,\"column Total (amount), value \"\"5.005\"\": CNY \
         has 2 digits after the point\"\n"
    );
}

#[test]
fn canonical_columns_come_in_other_encodings_too() {
    let scheme = with_orders();
    let text = "payment_id\torder_id\tamount\tcurrency\tpaid_at\tchannel\r\nP1\tO1\t5.00\tCNY\t2026-03-02\t微信\r\n";
    scheme.write("inbox/excel-2026-03-02.csv", utf16(text));
    scheme.close("2026-03-02");
    let ack = scheme.read("run/outbox/excel/excel-2026-03-02.csv.ack.csv");
    assert_eq!(ack, "line,key,outcome,code,message\n2,P1,accepted,,\n");
}

#[test]
fn check_looks_at_one_feed_whatever_is_wrong_elsewhere() {
    let scheme = shop();
    scheme.write("policy.toml", "nonsense");
    let (told, ended) = check(&scheme, "wechat", sample("wechat-all.csv").as_bytes());
    assert_eq!(ended, Some(0), "{told}");
    assert!(!scheme.path("run").exists());
    let (told, ended) = check(&scheme, "wechatt", b"");
    assert_eq!(ended, Some(2), "{told}");
    assert!(told.contains("there is no feed \"wechatt\""), "{told}");
}

#[test]
fn check_answers_programs_and_hides_names() {
    let scheme = shop();
    scheme.write("file.csv", CUSTOMERS);
    let file = scheme.path("file.csv");
    let told = scheme.run(&["check", "--feed", "customers", "--file", file.to_str().unwrap(), "--json"]);
    assert!(!told.contains("王芳") && !told.contains("c1@"), "{told}");
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["quarantined"], &told["found"]["readable"]), (&serde_json::Value::Null, &serde_json::json!(1)));
    assert_eq!(told["found"]["first"][0]["values"]["name"], "•••");
}

#[test]
fn a_profile_that_makes_no_sense_is_refused_with_its_line() {
    let good = "about = \"x\"\nkind = \"payments\"\n[columns]\npayment_id = \"a\"\norder_id = \"b\"\namount = \"c\"\n\
                currency = { constant = \"CNY\" }\npaid_at = \"d\"\n";
    let lines = |extra: &str| format!("{extra}\n{good}");
    for (text, says) in [
        (lines("encodin = \"utf-8\""), "own.toml:1: encodin: there is no such key; did you mean encoding?"),
        (lines("encoding = \"gbk\""), "own.toml:1: encoding: \"gbk\" is not known; write utf-8, gb18030 or utf-16"),
        (lines("encoding = []"), "own.toml:1: encoding: is empty; write at least one"),
        (lines("delimiter = \"ab\""), "own.toml:1: delimiter: \"ab\": write one sign such as"),
        (lines("quote = \"“\""), "own.toml:1: quote: \"“\": write"),
        (
            lines("find_header = true\nskip_lines = 2"),
            "own.toml:2: skip_lines: the header is found by its columns already",
        ),
        (lines("comment = \"\""), "own.toml:1: comment: is empty, so that every line would be one"),
        (lines("times = [\"%Q\"]"), "own.toml:1: times: \"%Q\": write a form such as"),
        (
            lines("times = [\"%m.%Y\"]"),
            "own.toml:1: times: \"%m.%Y\": no day can be read from it; write a form such as",
        ),
        (lines("totals_heading = \"n\""), "own.toml:1: totals_heading: no [[total]] names a column of that table"),
        (
            lines("end_marker = \"{sum}{sum}\""),
            "own.toml:1: end_marker: \"{sum}{sum}\": a line can contain {sum} only once",
        ),
        (good.replace("kind = \"payments\"\n", ""), "kind: is missing; columns are those of a kind"),
        (good.replace("amount = \"c\"\n", ""), "columns: amount is missing, which every row of payments needs"),
        (good.replace("amount = \"c\"", "amuont = \"c\""), "own.toml:6: columns.amuont: payments have no such column"),
        (good.replace("\"c\"", "{ until = \"(\" }"), "own.toml:6: columns.amount: write either from or constant"),
        (
            good.replace("\"b\"", "{ from = \"b\", sign = \"absolute\" }"),
            "columns.order_id.sign: is for amounts; leave it out",
        ),
        (
            good.replace("\"c\"", "{ from = \"c\", words = { a = \"1\" } }"),
            "columns.amount.words: are for columns of words",
        ),
        (
            good.replace("\"c\"", "{ from = \"c\", sign = \"minus\" }"),
            "\"minus\" is not known; write negative, absolute or reversed",
        ),
        (format!("{good}[cells]\nthousands = \".\""), "cells.thousands: is also the decimal sign"),
        (format!("{good}[cells]\nminor_digits = 9"), "cells.minor_digits: write the digits behind the point"),
        (format!("{good}[cells]\nmark = \"\""), "cells.mark: is empty; write what every cell begins with"),
        (format!("{good}[[set_aside]]\nwhy = \"all\""), "own.toml:9: set_aside: would set every row aside"),
        (format!("{good}[[variant]]\nwhen = {{}}\ncolumns = {{ amount = \"e\" }}"), "variant.when: is empty"),
        (format!("{good}[[total]]\nsum = \"c\""), "own.toml:9: total: write either line or column"),
        (format!("{good}[[total]]\ncolumn = \"n\""), "total.column: of which table? write totals_heading as well"),
        (
            format!("{good}[[total]]\nline = \"sum {{sum}}\""),
            "total.line: \"sum {sum}\": {sum} and the key sum belong together",
        ),
        (format!("{good}[[total]]\nline = \"end\""), "total.line: \"end\": says no total"),
    ] {
        let scheme = Scheme::shop(POLICY);
        let config = scheme.read("paylater.toml").replacen(
            "kind = \"payments\"",
            "kind = \"payments\"\nprofile = \"own.toml\"",
            1,
        );
        scheme.write("paylater.toml", config);
        scheme.write("own.toml", &text);
        let told = scheme.run_failing(&["check"], 2);
        assert!(told.contains(says), "{text}\n{says}\n{told}");
    }
}

#[test]
fn a_feed_names_a_profile_that_is_there_and_reads_its_kind() {
    for (profile, says) in [
        ("alipay", "there is no profile \"alipay\"; write canonical, alipay-merchant-bill"),
        ("shop-exports", "did you mean shop-export?"),
        ("none.toml", "none.toml"),
        ("wechat-trade-bill", "wechat-trade-bill reads bills, and this feed's kind is payments"),
    ] {
        let scheme = Scheme::shop(POLICY);
        let feed = format!("kind = \"payments\"\nprofile = \"{profile}\"");
        scheme.write("paylater.toml", scheme.read("paylater.toml").replacen("kind = \"payments\"", &feed, 1));
        let told = scheme.run_failing(&["check"], 2);
        assert!(told.contains(says) && told.contains("feed.profile"), "{says}\n{told}");
    }
}
