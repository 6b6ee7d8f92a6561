//! Finds the imports between source files in their text: `use` with nested paths, and paths in the code that begin with
//! `crate::` or `super::`. An import of a re-exported name counts as an import of the file that defines the name.
//! Deliberately absent: the expansion of macros, and the names that a folder's `mod.rs` re-exports from its own files
//! or calls in them, such as `check::run()`.

use std::collections::{BTreeMap, BTreeSet};

/// The sources of a crate by their paths below `src/`, without test code.
pub struct Crate {
    modules: BTreeMap<Vec<String>, Module>,
}

struct Module {
    file: String,
    defined: BTreeSet<String>,
    uses: Vec<Use>,
    /// All words outside the `use` declarations.
    words: BTreeSet<String>,
    /// Paths in the code itself that begin with `crate` or `super`.
    paths: Vec<Vec<String>>,
}

/// One name that a `use` imports; `*` for all names of a module.
struct Use {
    name: String,
    path: Vec<String>,
    is_public: bool,
}

impl Crate {
    /// Reads sources: paths such as `store/engine.rs`, each with its text.
    pub fn of<'a>(sources: impl IntoIterator<Item = (&'a str, &'a str)>) -> Crate {
        let module = |(file, text): (&str, &str)| {
            let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
            let path = if path == "lib" { Vec::new() } else { path.split('/').map(str::to_owned).collect() };
            (path, Module::of(file, &tokens(text)))
        };
        let root = (Vec::new(), Module::of("lib.rs", &[]));
        Crate { modules: [root].into_iter().chain(sources.into_iter().map(module)).collect() }
    }

    /// Returns the files that each file imports.
    pub fn imports(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut imports: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (at, module) in &self.modules {
            let found = imports.entry(&module.file).or_default();
            // A name that a `mod.rs` only re-exports counts as an import of the files that use it.
            let is_front = module.file.ends_with("mod.rs");
            let is_used = |used: &&Use| !used.is_public || !is_front && module.words.contains(&used.name);
            let used = module.uses.iter().filter(is_used).map(|used| &used.path);
            for path in used.chain(&module.paths) {
                found.extend(self.file_of(at, path, 0).filter(|file| *file != module.file));
            }
        }
        imports
    }

    /// Returns the groups of files that import each other in a circle, each group complete.
    pub fn circles(&self) -> Vec<Vec<&str>> {
        let imports = self.imports();
        let reached: BTreeMap<&str, BTreeSet<&str>> =
            imports.keys().map(|file| (*file, reached_from(file, &imports))).collect();
        let together = |file: &&str| -> Vec<&str> {
            reached[file].iter().copied().filter(|other| reached[other].contains(file)).collect()
        };
        let groups: BTreeSet<Vec<&str>> = imports.keys().map(together).filter(|group| group.len() > 1).collect();
        groups.into_iter().collect()
    }

    /// Returns the file that defines the name at the end of a path in a module, or `None` if this crate does not define
    /// it.
    fn file_of(&self, at: &[String], path: &[String], depth: usize) -> Option<&str> {
        if depth > 10 {
            return None;
        }
        let (first, rest) = path.split_first()?;
        let module = self.modules.get(at)?;
        match first.as_str() {
            "crate" => self.within(&[], rest, depth),
            "self" => self.within(at, rest, depth),
            "super" => self.within(at.split_last()?.1, rest, depth),
            _ if self.modules.contains_key(&joined(at, first)) => self.within(at, path, depth),
            _ if module.defined.contains(first) => Some(&module.file),
            _ => {
                let used = module.uses.iter().find(|used| used.name == *first)?;
                self.file_of(at, &[&used.path, rest].concat(), depth + 1)
            }
        }
    }

    /// Does the same for a path that starts at a module.
    fn within(&self, at: &[String], path: &[String], depth: usize) -> Option<&str> {
        let module = self.modules.get(at)?;
        let Some((first, rest)) = path.split_first() else { return Some(&module.file) };
        let below = joined(at, first);
        if first == "super" {
            self.within(at.split_last()?.1, rest, depth)
        } else if self.modules.contains_key(&below) && !(rest.is_empty() && module.defined.contains(first)) {
            self.within(&below, rest, depth)
        } else if module.defined.contains(first) || first == "*" {
            Some(&module.file)
        } else {
            let named = module.uses.iter().find(|used| used.name == *first);
            let named = named.and_then(|used| self.file_of(at, &[&used.path, rest].concat(), depth + 1));
            let of_globs = || {
                let globs = module.uses.iter().filter(|used| used.name == "*");
                let inside = |used: &Use| [&used.path[..used.path.len() - 1], path].concat();
                globs.filter_map(|used| self.file_of(at, &inside(used), depth + 1)).next()
            };
            named.or_else(of_globs).or(Some(&module.file))
        }
    }
}

fn joined(at: &[String], name: &String) -> Vec<String> {
    [at, std::slice::from_ref(name)].concat()
}

fn reached_from<'a>(file: &'a str, imports: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next = vec![file];
    while let Some(file) = next.pop() {
        for imported in &imports[file] {
            if reached.insert(*imported) {
                next.push(imported);
            }
        }
    }
    reached
}

impl Module {
    fn of(file: &str, tokens: &[String]) -> Module {
        let mut module = Module {
            file: file.to_owned(),
            defined: BTreeSet::new(),
            uses: Vec::new(),
            words: BTreeSet::new(),
            paths: Vec::new(),
        };
        let is = |i: usize, what: &str| tokens.get(i).is_some_and(|token| token == what);
        let (mut i, mut depth) = (0, 0_usize);
        while i < tokens.len() {
            let token = tokens[i].as_str();
            if is_word(token) && token != "use" && !(i > 0 && is(i - 1, "mod")) {
                module.words.insert(token.to_owned());
            }
            match token {
                "{" => depth += 1,
                "}" => depth = depth.saturating_sub(1),
                "use" => {
                    let is_public = i > 0 && (is(i - 1, "pub") || is(i - 1, ")"));
                    let end = tokens[i..].iter().position(|token| token == ";").map_or(tokens.len(), |at| i + at);
                    for (path, name) in leaves(&tokens[i + 1..end], &mut 0) {
                        module.uses.push(Use { name, path, is_public });
                    }
                    i = end;
                }
                "fn" | "struct" | "enum" | "trait" | "type" | "const" | "static" | "union" if depth == 0 => {
                    let at = if is(i + 1, "mut") || is(i + 1, "fn") { i + 2 } else { i + 1 };
                    module.defined.extend(tokens.get(at).cloned());
                }
                "macro_rules" if is(i + 1, "!") => module.defined.extend(tokens.get(i + 2).cloned()),
                "crate" | "super" if is(i + 1, "::") => {
                    let mut path = vec![token.to_owned()];
                    while is(i + 1, "::") && tokens.get(i + 2).is_some_and(|token| is_word(token)) {
                        path.push(tokens[i + 2].clone());
                        i += 2;
                    }
                    module.paths.push(path);
                }
                _ => {}
            }
            i += 1;
        }
        module
    }
}

/// Returns the paths of a tree such as `a::{b, c::D as E, f::*}`, each with the name that it imports.
fn leaves(tree: &[String], at: &mut usize) -> Vec<(Vec<String>, String)> {
    let (mut found, mut path, mut name) = (Vec::new(), Vec::<String>::new(), None);
    while let Some(token) = tree.get(*at) {
        *at += 1;
        match token.as_str() {
            "::" => {}
            "{" => loop {
                for (inner, name) in leaves(tree, at) {
                    found.push(([path.clone(), inner].concat(), name));
                }
                *at += 1;
                if tree.get(*at - 1).is_none_or(|token| token == "}") {
                    return found;
                }
            },
            "," | "}" => {
                *at -= 1;
                break;
            }
            "as" => {
                name = tree.get(*at).cloned();
                *at += 1;
            }
            word => path.push(word.to_owned()),
        }
    }
    // `a::{self}` means `a`.
    if path.len() == 1 && path[0] == "self" {
        path.clear();
        found.push((path, name.unwrap_or_else(|| "self".to_owned())));
    } else if let Some(last) = path.last() {
        let name = name.unwrap_or_else(|| last.clone());
        found.push((path, name));
    }
    for (path, name) in &mut found {
        if let ("self", Some(last)) = (name.as_str(), path.last()) {
            *name = last.clone();
        }
    }
    found
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Splits source text into words, `::` and single signs. Leaves out comments, string and character literals, and
/// lifetimes.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\n');
    let (mut found, mut i) = (Vec::new(), 0);
    while i < chars.len() {
        match chars[i] {
            '/' if at(i + 1) == '/' => i += chars[i..].iter().take_while(|c| **c != '\n').count(),
            '"' => i = after_text(&chars, i),
            'r' if at(i + 1) == '"' || at(i + 1) == '#' && (at(i + 2) == '"' || at(i + 2) == '#') => {
                i = after_raw_text(&chars, i + 1);
            }
            '\'' if at(i + 1) == '\\' => i += 3 + chars[i + 3..].iter().take_while(|c| **c != '\'').count() + 1,
            '\'' if at(i + 2) == '\'' => i += 3,
            ':' if at(i + 1) == ':' => {
                found.push("::".to_owned());
                i += 2;
            }
            c if c.is_alphabetic() || c == '_' => {
                let word: String = chars[i..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').collect();
                i += word.chars().count();
                found.push(word);
            }
            c if c.is_whitespace() => i += 1,
            c => {
                found.push(c.to_string());
                i += 1;
            }
        }
    }
    found
}

fn after_text(chars: &[char], mut i: usize) -> usize {
    i += 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

fn after_raw_text(chars: &[char], mut i: usize) -> usize {
    let signs = chars[i..].iter().take_while(|c| **c == '#').count();
    i += signs + 1;
    let ends = |i: usize| chars[i] == '"' && chars[i + 1..].iter().take(signs).filter(|c| **c == '#').count() == signs;
    while i < chars.len() && !ends(i) {
        i += 1;
    }
    i + 1 + signs
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    for (one, other) in [
        ("use super::b::B;\nfn a() {}", "use super::a;\nfn f() { a::a() }"),
        ("use crate::r::{b::{self, B}, c};", "const X: i64 = super::a::A; pub struct B;"),
        // The name is imported through a re-export, under another name, or with all names of a module.
        ("use super::B;", "use crate::r::a::A;\npub struct B;"),
        ("use super::Renamed;", "use crate::r::a::A;\npub struct C;"),
        ("use super::FromC;", "use super::c::C;\npub struct B;"),
        ("pub use super::b::B;\nfn f(b: B) {}", "use super::a::A;\npub struct B;"),
        ("fn f() { super::b::g() }", "fn g() -> crate::r::a::A { 0 }"),
    ] {
        let of_room = "mod a;\nmod b;\nmod c;\npub use b::{B, C as Renamed};\npub use self::c::*;";
        let c = "use super::a::A;\npub struct C;\npub use super::b::B as FromC;";
        let sources = [("r/mod.rs", of_room), ("r/a.rs", one), ("r/b.rs", other), ("r/c.rs", c)];
        let of = Crate::of(sources);
        let found = of.circles().concat();
        assert!(found.contains(&"r/a.rs") && found.contains(&"r/b.rs"), "{one}\n{other}\n{found:?}");
    }
}

#[test]
fn no_circle_is_found_where_there_is_none() {
    let sources = [
        ("lib.rs", "pub mod r;"),
        ("r/mod.rs", "mod a;\nmod b;\npub use a::A;\npub use b::B;"),
        (
            "r/a.rs",
            "pub struct A;\n// use super::b::B;\nconst TEXT: &str = \"use super::b::B;\";\nuse std::fmt::{self, Debug};",
        ),
        ("r/b.rs", "use super::A;\npub struct B(A);\nimpl B { fn a(&self) -> Self::C { 'a' } }"),
    ];
    let of = Crate::of(sources);
    assert_eq!(of.circles(), Vec::<Vec<&str>>::new());
    assert_eq!(of.imports()["r/b.rs"].iter().collect::<Vec<_>>(), [&"r/a.rs"]);
}
