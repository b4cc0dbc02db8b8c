//! How long a file and a function may grow. There is no list of exceptions: what is too long has a seam somewhere.

use crate::assert_none;
use crate::house::{Source, sources};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// Most lines of a file, its test modules not counted.
const FILE_LINES_MAX: usize = 500;
/// Most lines of code in a function's body; blank lines and comment lines are free, as for clippy.
const FUNCTION_LINES_MAX: usize = 70;

fn long_files(sources: &[Source]) -> Vec<String> {
    let production = sources.iter().filter(|source| !source.is_test());
    production
        .filter_map(|source| {
            let lines = production_lines(source);
            let complaint = format!(
                "{}: {lines} lines, at most {FILE_LINES_MAX}",
                source.path.display()
            );
            (lines > FILE_LINES_MAX).then_some(complaint)
        })
        .collect()
}

fn production_lines(source: &Source) -> usize {
    let tests: usize = source
        .syntax
        .items
        .iter()
        .filter(|item| is_for_tests(item))
        .map(|item| item.span().end().line - item.span().start().line + 1)
        .sum();
    source.text.lines().count() - tests
}

/// Whether an item is compiled for tests only.
pub(crate) fn is_for_tests(item: &syn::Item) -> bool {
    let attributes = match item {
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        _ => return false,
    };
    attributes.iter().any(|attribute| {
        let test_only = |meta: syn::Meta| meta.path().is_ident("test");
        attribute.path().is_ident("cfg") && attribute.parse_args().is_ok_and(test_only)
    })
}

fn long_functions(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        let mut visitor = Functions {
            lines: source.text.lines().collect(),
            found: Vec::new(),
        };
        visitor.visit_file(&source.syntax);
        let long = visitor
            .found
            .iter()
            .filter(|(_, lines)| *lines > FUNCTION_LINES_MAX);
        complaints.extend(long.map(|(name, lines)| {
            let path = source.path.display();
            format!("{path}: `{name}` has {lines} lines, at most {FUNCTION_LINES_MAX}")
        }));
    }
    complaints
}

/// Measures every function, nested ones and methods too.
struct Functions<'a> {
    lines: Vec<&'a str>,
    found: Vec<(String, usize)>,
}

impl Functions<'_> {
    fn measure(&mut self, name: &syn::Ident, body: &syn::Block) {
        let (first, last) = (body.span().start().line, body.span().end().line);
        let between = self.lines.iter().take(last.saturating_sub(1)).skip(first);
        let code = between.filter(|line| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with("//")
        });
        self.found.push((name.to_string(), code.count()));
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig.ident, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig.ident, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.measure(&function.sig.ident, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[test]
fn no_file_is_too_long() {
    assert_none("a file is too long: split it by meaning", &long_files(&sources()));
}

#[test]
fn no_function_is_too_long() {
    assert_none("a function is longer than a screen", &long_functions(&sources()));
}

#[test]
fn a_long_file_is_noticed_and_its_tests_are_free() {
    let production = "const A: u8 = 0;\n".repeat(FILE_LINES_MAX);
    let tests = format!(
        "#[cfg(test)]\nmod tests {{\n{}}}\n",
        "const B: u8 = 0;\n".repeat(900)
    );
    let fits = Source::sample("engine/src/a.rs", &format!("{production}{tests}"));
    let long = Source::sample(
        "engine/src/b.rs",
        &format!("const C: u8 = 0;\n{production}{tests}"),
    );
    let complaints = long_files(&[fits, long]);
    assert_eq!(complaints, ["engine/src/b.rs: 501 lines, at most 500"]);
}

#[test]
fn a_long_function_is_noticed_and_its_comments_are_free() {
    let line = "    let _ = 1;\n";
    let comments = "    // why\n\n".repeat(50);
    let fits = format!("fn fits() {{\n{}{comments}}}\n", line.repeat(FUNCTION_LINES_MAX));
    let long = format!(
        "struct S;\nimpl S {{\nfn long() {{\n{}}}\n}}\n",
        line.repeat(FUNCTION_LINES_MAX + 1)
    );
    let complaints = long_functions(&[Source::sample("engine/src/a.rs", &(fits + &long))]);
    assert_eq!(complaints, ["engine/src/a.rs: `long` has 71 lines, at most 70"]);
}
