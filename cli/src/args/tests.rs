//! What must hold of the whole command line: its help, its examples, its arguments. What a single command takes is tested beside it.

use super::*;
use clap::CommandFactory;

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn the_top_level_help_lists_every_visible_command_with_its_own_words() {
    for command in Cli::command().get_subcommands().filter(|c| !c.is_hide_set()) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let line = format!("  {:<11}  {about}\n", command.get_name());
        assert!(TEMPLATE.contains(&line), "the help lacks the line {line:?}");
    }
}

#[test]
fn no_help_is_wider_than_eighty_columns() {
    fn check(command: &mut clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        for line in command.render_long_help().to_string().lines() {
            assert!(
                line.chars().count() <= 80,
                "the help of{path} is too wide: {line:?}"
            );
        }
        for inner in command.get_subcommands_mut() {
            check(inner, &path);
        }
    }
    let mut command = Cli::command();
    command.build();
    check(&mut command, "");
}

#[test]
fn every_help_ends_with_examples() {
    fn check(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        if command.is_hide_set() {
            return;
        }
        if command.has_subcommands() {
            command.get_subcommands().for_each(|c| check(c, &path));
        } else {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                help.contains("EXAMPLES\n  tidemill "),
                "no examples in the help of{path}"
            );
        }
    }
    check(&Cli::command(), "");
}

#[test]
fn no_command_has_an_argument_that_would_be_taken_for_one_of_all_commands() {
    fn check(command: &clap::Command, of_all: &[&clap::Id]) {
        for argument in command.get_arguments() {
            let (own, name) = (argument.get_id(), command.get_name());
            assert!(
                !of_all.contains(&own),
                "`{own}` of `{name}` is another thing elsewhere"
            );
        }
        command.get_subcommands().for_each(|inner| check(inner, of_all));
    }
    let all = Cli::command();
    let of_all: Vec<_> = all.get_arguments().map(clap::Arg::get_id).collect();
    all.get_subcommands().for_each(|inner| check(inner, &of_all));
}

#[test]
fn a_pair_splits_at_its_first_equals_sign() {
    let pair: Pair = "query=a=b".parse().unwrap();
    assert_eq!((pair.name.as_str(), pair.value.as_str()), ("query", "a=b"));
    assert_eq!("empty=".parse::<Pair>().unwrap().value, "");
    assert!("novalue".parse::<Pair>().is_err());
    assert!("=x".parse::<Pair>().is_err());
}
