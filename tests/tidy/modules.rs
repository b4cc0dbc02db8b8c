//! Which file of a crate uses which other file of it, read from `use` items and paths. A name that a `mod.rs` only hands on counts as a use of
//! the file that defines it; handing on is itself no use. What a file takes from a door above it (its `mod.rs`, its `lib.rs`) is the room's own
//! vocabulary and no use either. Code for tests does not count, nor what macros hide.

use crate::house::{Member, Source};
use crate::sizes::is_for_tests;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};

/// Names from the crate's root downwards.
type ModulePath = Vec<String>;

/// How often a name may be handed on before the search is given up.
const HANDS_MAX: usize = 8;

/// File → files of the same crate that it uses.
pub(crate) type Uses = BTreeMap<PathBuf, BTreeSet<PathBuf>>;

/// The uses between the files of one crate.
pub(crate) fn uses(member: &Member, sources: &[Source]) -> Uses {
    let root = member.folder.join("src");
    let own = sources
        .iter()
        .filter(|source| source.path.starts_with(&root) && !source.is_test());
    let modules: BTreeMap<ModulePath, Module> = own
        .filter_map(|source| {
            let path = module_path(source.path.strip_prefix(&root).ok()?)?;
            let module = Module::read(source, &path);
            Some((path, module))
        })
        .collect();
    let house = Rooms { modules: &modules };
    let mut uses = Uses::new();
    for module in modules.values() {
        let paths = module.paths.iter();
        let targets = paths.filter_map(|path| house.file_of(path, HANDS_MAX));
        let others = targets.filter(|target| *target != module.file && !is_door_above(target, &module.file));
        uses.insert(module.file.clone(), others.collect());
    }
    uses
}

/// Whether `door` is the `mod.rs` or `lib.rs` of a room in which `file` lies, however deep.
fn is_door_above(door: &Path, file: &Path) -> bool {
    let is_door = door
        .file_stem()
        .is_some_and(|stem| stem == "mod" || stem == "lib" || stem == "main");
    is_door && door.parent().is_some_and(|room| file.starts_with(room))
}

/// `a/b.rs` → `a::b`, `a/mod.rs` → `a`, `lib.rs` → the root. Further binaries have roots of their own and are left out.
fn module_path(file: &Path) -> Option<ModulePath> {
    if file.starts_with("bin") {
        return None;
    }
    let mut path: ModulePath = file
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let last = path.last().map(String::as_str);
    if matches!(last, Some("mod")) || (path.len() == 1 && matches!(last, Some("lib" | "main"))) {
        path.pop();
    }
    Some(path)
}

/// One file as a module.
struct Module {
    file: PathBuf,
    /// Names that `use` items bring in, and what they stand for.
    imports: BTreeMap<String, ModulePath>,
    /// Every path that the file's code follows, from the root on.
    paths: BTreeSet<ModulePath>,
}

impl Module {
    fn read(source: &Source, path: &[String]) -> Self {
        let mut imports = Imports {
            here: path.to_vec(),
            children: child_modules(&source.syntax.items),
            names: BTreeMap::new(),
            used: BTreeSet::new(),
        };
        imports.visit_file(&source.syntax);
        let mut paths = Paths {
            here: path.to_vec(),
            children: imports.children,
            imports: imports.names,
            found: imports.used,
        };
        paths.visit_file(&source.syntax);
        Self {
            file: source.path.clone(),
            imports: paths.imports,
            paths: paths.found,
        }
    }
}

fn child_modules(items: &[syn::Item]) -> BTreeSet<String> {
    let modules = items.iter().filter_map(|item| match item {
        syn::Item::Mod(module) if module.content.is_none() => Some(module.ident.to_string()),
        _ => None,
    });
    modules.collect()
}

/// `path` as written in the module `here`, from the root on; none when it leads out of the crate.
fn absolute(here: &[String], children: &BTreeSet<String>, path: &[String]) -> Option<ModulePath> {
    let (first, rest) = path.split_first()?;
    let mut base = match first.as_str() {
        "crate" => Vec::new(),
        "self" => here.to_vec(),
        "super" => here.split_last()?.1.to_vec(),
        child if children.contains(child) => [here, &[child.to_owned()]].concat(),
        _ => return None,
    };
    for name in rest {
        match name.as_str() {
            "super" => drop(base.pop()?),
            "self" => {}
            name => base.push(name.to_owned()),
        }
    }
    Some(base)
}

/// Reads the `use` items.
struct Imports {
    here: ModulePath,
    children: BTreeSet<String>,
    names: BTreeMap<String, ModulePath>,
    used: BTreeSet<ModulePath>,
}

impl Imports {
    fn tree(&mut self, before: &[String], tree: &syn::UseTree, handed_on: bool) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.tree(&with(&path.ident), &path.tree, handed_on),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(before, tree, handed_on);
                }
            }
            syn::UseTree::Glob(_) => self.keep(None, before, handed_on),
            syn::UseTree::Name(name) if name.ident == "self" => {
                self.keep(before.last().cloned(), before, handed_on);
            }
            syn::UseTree::Name(name) => {
                self.keep(Some(name.ident.to_string()), &with(&name.ident), handed_on);
            }
            syn::UseTree::Rename(rename) => {
                self.keep(Some(rename.rename.to_string()), &with(&rename.ident), handed_on);
            }
        }
    }

    fn keep(&mut self, name: Option<String>, path: &[String], handed_on: bool) {
        let Some(path) = absolute(&self.here, &self.children, path) else {
            return;
        };
        if !handed_on {
            self.used.insert(path.clone());
        }
        if let Some(name) = name {
            self.names.insert(name, path);
        }
    }
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let handed_on = !matches!(item.vis, syn::Visibility::Inherited);
        self.tree(&[], &item.tree, handed_on);
    }
}

/// Reads the paths in code.
struct Paths {
    here: ModulePath,
    children: BTreeSet<String>,
    imports: BTreeMap<String, ModulePath>,
    found: BTreeSet<ModulePath>,
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: ModulePath = path.segments.iter().map(|s| s.ident.to_string()).collect();
        let imported = names.first().and_then(|first| self.imports.get(first));
        let found = match imported {
            Some(base) => Some([base, names.get(1..).unwrap_or_default()].concat()),
            None => absolute(&self.here, &self.children, &names),
        };
        self.found.extend(found);
        visit::visit_path(self, path);
    }
}

/// All modules of one crate.
struct Rooms<'a> {
    modules: &'a BTreeMap<ModulePath, Module>,
}

impl Rooms<'_> {
    /// The file that defines what `path` names. None for a module as a whole: naming a room is not using what is in it.
    fn file_of(&self, path: &[String], hands: usize) -> Option<PathBuf> {
        let depth = (0..=path.len())
            .rev()
            .find(|n| self.modules.contains_key(&path[..*n]))?;
        let module = &self.modules[&path[..depth]];
        let (name, rest) = path[depth..].split_first()?;
        match module.imports.get(name) {
            Some(further) if hands > 0 && further.as_slice() != path => {
                let further = [further, rest].concat();
                self.file_of(&further, hands - 1)
            }
            _ => Some(module.file.clone()),
        }
    }
}

#[test]
fn a_use_leads_to_the_file_that_defines_the_name() {
    let sources = [
        Source::sample(
            "engine/src/lib.rs",
            "//! x\nmod step; mod run;\npub use step::Step;",
        ),
        Source::sample("engine/src/step.rs", "//! x\npub struct Step;"),
        Source::sample(
            "engine/src/run.rs",
            "//! x\nuse crate::Step;\nfn f(_: Step) {}\n#[cfg(test)]\nmod tests { use crate::run::f; }",
        ),
    ];
    let member = Member {
        name: "tidemill-engine".into(),
        folder: "engine".into(),
        dependencies: Vec::new(),
    };
    let uses = uses(&member, &sources);
    let of = |file: &str| {
        uses[Path::new(file)]
            .iter()
            .map(|p| p.display().to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("engine/src/run.rs"), ["engine/src/step.rs"]);
    assert_eq!(
        of("engine/src/lib.rs"),
        Vec::<String>::new(),
        "handing on is no use"
    );
}
