//! The console in Chromium: no errors, no sideways scrolling on a phone, keyboard only, dark, and nothing that keeps people
//! with a disability out (axe-core).

use std::path::Path;

use serde_json::Value as Json;

use crate::console::{Console, PAGES, sample};
use crate::support::browser::Browser;

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

/// axe-core's source.
fn axe() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/axe/package/axe.min.js");
    std::fs::read_to_string(path).expect("target/axe has axe-core; .ci/test gets it")
}

/// Returns what axe finds wrong with the page that is open.
fn violations(browser: &Browser) -> Vec<String> {
    let script = "const done = arguments[arguments.length - 1];
        axe.run(document, { resultTypes: ['violations'] }).then(found => done(found.violations.map(
            wrong => wrong.id + ': ' + wrong.help + ' ' + wrong.nodes.map(node => node.target.join(' ')).join('; '))));";
    let found = browser.run_async(script);
    found.as_array().unwrap().iter().map(|wrong| wrong.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_console_in_a_browser() {
    let scheme = sample();
    let console = Console::start(&scheme);
    let browser = Browser::start();
    a_keyboard_is_enough(&console, &browser);
    every_page_looks_right_to_everybody(&console, &browser);
}

fn every_page_looks_right_to_everybody(console: &Console, browser: &Browser) {
    let axe = axe();
    let url = |path: &str| format!("http://{}{path}", console.address);
    browser.open(&url("/money"));
    let mut wrong = Vec::new();
    for (width, colours, language) in [(1280, "light", "en"), (390, "dark", "zh")] {
        browser.resize(width, 900);
        browser.prefer(colours);
        browser.open(&url(&format!("/language?to={language}&back=/")));
        for (path, ..) in PAGES {
            browser.open(&url(path));
            let at = format!("{path} at {width} in {colours}, {language}");
            let tag = browser.run("return document.documentElement.lang");
            assert!(tag.as_str().unwrap().starts_with(language), "{at}: {tag}");
            let background = browser.run("return getComputedStyle(document.body).backgroundColor");
            assert_eq!(background == "rgb(18, 24, 26)", colours == "dark", "{at}: {background}");
            let room = browser.run("return [document.documentElement.scrollWidth, innerWidth]");
            if room[0].as_i64() > room[1].as_i64() {
                wrong.push(format!("{at}: scrolls sideways, {room}"));
            }
            browser.run(&axe);
            wrong.extend(violations(browser).into_iter().map(|violation| format!("{at}: {violation}")));
            wrong.extend(browser.log().into_iter().map(|line| format!("{at}: {line}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns the text or name of the element that has the focus, and whether it can be seen that it has.
fn focused(browser: &Browser) -> (String, bool) {
    let script = "const e = document.activeElement, style = getComputedStyle(e);
        return [(e.innerText || e.name || e.id || e.tagName).trim(), style.outlineStyle !== 'none' && style.outlineWidth !== '0px']";
    let answer = browser.run(script);
    (answer[0].as_str().unwrap_or_default().to_owned(), answer[1] == Json::Bool(true))
}

fn a_keyboard_is_enough(console: &Console, browser: &Browser) {
    browser.resize(1280, 900);
    browser.open(&format!("http://{}/", console.address));
    let mut order = Vec::new();
    for _ in 0..8 {
        browser.press(TAB);
        let (what, is_visible) = focused(browser);
        assert!(is_visible, "nobody sees that {what} has the focus");
        order.push(what);
    }
    let expected = ["Skip to content", "四季先用后付", "中文", "Today", "Money", "Orders", "Files", "Exceptions"];
    assert_eq!(order, expected);

    // The skip link goes past the head.
    browser.open(&format!("http://{}/orders", console.address));
    browser.press(TAB);
    browser.press(ENTER);
    browser.press(TAB);
    assert_eq!(focused(browser).0, "q");
    // A search is typed and sent without a mouse.
    browser.press("T-STAR");
    browser.press(ENTER);
    let mut path = Json::Null;
    for _ in 0..50 {
        path = browser.run("return document.readyState === 'complete' ? location.pathname + location.search : ''");
        if path == "/order?merchant=TEA&id=T-STAR" {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the search led to {path}");
}
