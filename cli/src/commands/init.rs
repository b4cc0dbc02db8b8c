//! `tidemill init`: a small pipeline that runs anywhere there is Python, to change into one's own.

use crate::args::InitArgs;
use crate::exit::Exit;
use crate::failure::{Context, Failure};
use crate::session::Session;
use std::path::Path;

/// Where the schema is put, for the comment in the pipeline's first line.
const SCHEMA: &str = ".tidemill/pipeline.schema.json";

/// What is written, and where.
const FILES: [(&str, &str); 4] = [
    ("pipeline.yml", include_str!("../starter/pipeline.yml")),
    ("src/prepare.py", include_str!("../starter/src/prepare.py")),
    ("src/train.py", include_str!("../starter/src/train.py")),
    ("src/evaluate.py", include_str!("../starter/src/evaluate.py")),
];

/// Does what was asked.
pub(super) fn run(session: &mut Session, args: &InitArgs) -> Result<Exit, Failure> {
    if !args.force {
        let taken = FILES
            .iter()
            .map(|(path, _)| args.folder.join(path))
            .find(|path| path.exists());
        if let Some(path) = taken {
            return Err(Failure::new(Exit::Conflict, format!("{} exists", path.display()))
                .help("name another folder, or overwrite with --force"));
        }
    }
    for (path, text) in FILES {
        write(&args.folder.join(path), text)?;
        session.printer.line(args.folder.join(path).display())?;
    }
    write(
        &args.folder.join(SCHEMA),
        &serde_json::to_string_pretty(&tidemill_language::schema())?,
    )?;
    let file = args.folder.join("pipeline.yml");
    session
        .printer
        .help(format_args!("tidemill run {}", shown(&file).display()));
    Ok(Exit::Good)
}

/// `./pipeline.yml` reads worse than `pipeline.yml`.
fn shown(path: &Path) -> &Path {
    path.strip_prefix(".").unwrap_or(path)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let cannot = || format!("cannot write {}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).context(cannot)?;
    }
    std::fs::write(path, text).context(cannot)
}
