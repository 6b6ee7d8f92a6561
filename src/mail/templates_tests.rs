//! Tests of templates: files in place of built-in ones, further languages, and what is wrong in them.

use super::*;

fn load_with(files: &[(&str, &str)], named: &[&str]) -> Result<Templates, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let named = named.iter().map(|name| (*name).to_owned()).collect();
    let loaded = Templates::load(Some(folder.path()), &language_tag("en"), &named);
    loaded.map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

#[test]
fn a_wrong_template_is_found_when_it_is_loaded() {
    for (name, text, expected) in [
        ("en/notice.txt", "Subject: x\n\n{% if %}", "en/notice.txt:3: unexpected end of block"),
        ("en/notice.html", "<p>\n{{ amuont }}", "en/notice.html:2: unknown name \"amuont\""),
        // Files as in earlier versions.
        ("notice.en.html", "<p>\n{{ amuont }}", "notice.en.html:2: unknown name \"amuont\""),
        // Unknown names are found in a branch that no made-up letter reaches, …
        (
            "en/notice.html",
            "{% if several and not several %}\n{{ amuont }}{% endif %}",
            "en/notice.html:2: unknown name \"amuont\"",
        ),
        // … and among the names of a line.
        ("zh/lines.txt", "{% for line in lines %}\n{{ line.day }}\n{% endfor %}", "zh/lines.txt:2: undefined value"),
        ("zh/upcoming.txt", "您好", "zh/upcoming.txt:1: the first line is not a subject: it begins with \"Subject: \""),
        ("en/overdeu.txt", "Subject: x", "en/overdeu.txt:0: no template has this name, and no policy names it"),
        ("overdue.txt", "Subject: x", "overdue.txt:0: it belongs into the folder of its language, such as en"),
        (
            "de/overdue.txt",
            "x",
            "de/debit_announced.html:0: the language lacks this template; `paylater mails templates --export` writes all of them",
        ),
        ("english/overdue.txt", "x", "english:0: the name is no language; write a tag such as de or zh-Hant"),
        ("en/language.toml", "amount = \"{number}\"", "en/language.toml:0: amount lacks {currency} or {number}"),
    ] {
        assert_eq!(load_with(&[(name, text)], &[]).err().unwrap(), format!("mail template {expected}"), "{name}");
    }
    assert!(load_with(&[("README.md", "ours"), ("en/notice.txt~", "old")], &[]).is_ok());
    assert!(Templates::load(Some(Path::new("/nowhere")), &language_tag("en"), &BTreeSet::new()).is_err());
    assert!(Templates::load(None, &language_tag("de"), &BTreeSet::new()).is_err());
}

#[test]
fn a_file_in_the_folder_replaces_the_built_in_one() {
    let text = "Subject: {{ amount }} now\nPreheader: soon\n\nPay {{ amount }}.";
    let templates = load_with(&[("en/due_today.txt", text)], &[]).unwrap();
    let view = made_up::views(Template::DueToday)[0].clone();
    let language = templates.language(&language_tag("en-GB"));
    let wording = language.render(Template::DueToday, None, View { amount: "5".into(), ..view }).unwrap();
    assert_eq!(wording.subject, "5 now");
    assert!(wording.text.contains("\n\nPay 5.\n\n"), "{}", wording.text);
    assert!(wording.html.contains(">soon</div>"), "{}", wording.html);
}

#[test]
fn a_language_takes_what_it_lacks_from_the_one_it_belongs_to() {
    let traditional = ("zh-Hant/overdue.txt", "Subject: 逾期\n\n您好");
    let templates = load_with(&[traditional], &[]).unwrap();
    let subject = |tag: &str, template| {
        let view = made_up::views(template)[0].clone();
        templates.language(&language_tag(tag)).render(template, None, view).unwrap().subject
    };
    assert_eq!(subject("zh-Hant-TW", Template::Overdue), "逾期");
    assert_eq!(subject("zh-Hant", Template::Notice), subject("zh", Template::Notice));
    assert_ne!(subject("zh-CN", Template::Overdue), "逾期");
    assert_eq!(templates.languages().collect::<Vec<_>>(), ["en", "zh", "zh-Hant"]);
}

#[test]
fn a_letter_that_a_policy_names_is_in_a_language() {
    let files = [("en/firm.txt", "Subject: firm\n\nx"), ("en/firm.html", "<p>x</p>")];
    assert!(load_with(&files, &[]).is_err(), "no policy names it");
    let missing = load_with(&[], &["firm"]).err().unwrap();
    assert_eq!(missing, "mail template firm.txt:0: a policy names this letter, but no language has it");
    let templates = load_with(&files, &["firm"]).unwrap();
    let subject = |tag: &str| {
        let view = made_up::views(Template::Overdue)[0].clone();
        templates.language(&language_tag(tag)).render(Template::Overdue, Some("firm"), view).unwrap().subject
    };
    assert_eq!(subject("en"), "firm");
    assert!(subject("zh").contains("逾期"), "{}", subject("zh"));
}
