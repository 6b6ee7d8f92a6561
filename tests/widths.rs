//! Checks that output for people fits the terminal.

use std::process::Command;

use crate::support::Scheme;

const WIDTHS: [usize; 3] = [80, 100, 120];

/// Returns the number of columns of a line. Chinese characters take two.
fn columns(line: &str) -> usize {
    line.chars().map(|c| if ('\u{2e80}'..='\u{ffef}').contains(&c) { 2 } else { 1 }).sum()
}

/// Checks that no line is wider, and that every box has its right border.
fn assert_fits(width: usize, what: &str, text: &str) {
    let mut box_width = None;
    let mut boxes = 0;
    for line in text.lines().map(|line| line.trim_end_matches('\r')) {
        // Commands stay on one line, so that a person can copy them.
        if line.starts_with("  paylater ") {
            continue;
        }
        assert!(columns(line) <= width, "{what} at {width}: {} columns: {line}", columns(line));
        if line.starts_with('┌') {
            box_width = Some(columns(line));
            boxes += 1;
        }
        if let Some(box_width) = box_width {
            assert_eq!(columns(line), box_width, "{what} at {width}: the box is broken:\n{text}");
            assert!(line.ends_with(['┐', '│', '┤', '┘', '╡']), "{what} at {width}: {line}");
        }
        if line.starts_with('└') {
            box_width = None;
        }
    }
    assert_eq!(box_width, None, "{what} at {width}: the box does not end:\n{text}");
    assert!(boxes > 0 || !["close", "status", "files", "exceptions"].contains(&what), "{what} has no box:\n{text}");
}

#[test]
fn nothing_is_wider_than_the_terminal() {
    let scheme = Scheme::sample();
    for (width, through) in WIDTHS.into_iter().zip(["2026-03-20", "2026-03-21", "2026-03-22"]) {
        let run = |arguments: &[&str]| {
            let output = scheme.command(arguments).env("COLUMNS", width.to_string()).output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
            let text = String::from_utf8(output.stdout).unwrap();
            assert_fits(width, arguments[0], &text);
            text
        };
        run(&["close", "--through", through]);
        let status = run(&["status"]);
        assert!(status.contains("open business date  2026-03-2"), "{status}");
        run(&["check"]);
        run(&["verify"]);
        for order in ["T-STAR", "T-FROZEN", "T-NOWHERE", "G-CAP"] {
            run(&["explain", order]);
        }
        // On a terminal, lists are boxes too.
        for list in [&["files", "--all"][..], &["files", "show", "36", "--all"], &["exceptions", "--all"]] {
            let text = on_a_terminal(&scheme, width, list);
            assert_fits(width, list[0], &text);
        }
    }
}

/// Returns the output of a command on a terminal of a given width.
fn on_a_terminal(scheme: &Scheme, width: usize, arguments: &[&str]) -> String {
    let command = scheme.command(arguments);
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    // Leave out standard error: remarks are not tables.
    let line = format!("stty rows 50 cols {width} && {} 2>/dev/null", words.join(" "));
    let mut script = Command::new("script");
    let output = script.args(["-qec", &line, "/dev/null"]).env_remove("COLUMNS").output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_close_names_an_order_that_can_be_explained() {
    let scheme = Scheme::sample();
    for through in ["2026-03-01", "2026-03-12"] {
        let text = scheme.close(through);
        let command = text.lines().last().unwrap().trim();
        let (_, arguments) = command.split_once("paylater.toml ").unwrap_or_else(|| panic!("{text}"));
        let arguments: Vec<&str> = arguments.split(' ').collect();
        assert_eq!((arguments[0], arguments[2]), ("explain", "--merchant"), "{text}");
        assert!(scheme.run(&arguments).starts_with(&format!("Order {} of ", arguments[1])));
    }
}

#[test]
fn numbers_and_nouns_agree() {
    let policy = crate::support::POLICY;
    let scheme = Scheme::shop(policy).with_customer(&[]);
    let check = scheme.run(&["check"]);
    assert!(check.starts_with("Test: 1 merchant, 13 feeds,") && check.contains("CNY, 1 band\n"), "{check}");
    scheme.close("2026-03-01");
    let verified = scheme.run(&["verify"]);
    assert!(verified.contains("0 orders recomputed; 1 day and "), "{verified}");
    let generated = scheme.path("made");
    let arguments = ["generate", "--merchants", "1", "--orders", "1", "--customers", "1", "--out"];
    let text = scheme.run(&[&arguments[..], &[generated.to_str().unwrap()]].concat());
    assert!(text.starts_with("1 order of 1 customer at 1 merchant in "), "{text}");
}
