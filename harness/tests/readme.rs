//! Every command in the README does what the README says.
//!
//! In a fenced block marked `console` a line that starts with `$ ` is a
//! command, and `# exits N` at its end says how it ends where that is not 0.
//! The lines below a command are output of it: they must come in that order,
//! times and seeds aside, and a lone `…` stands for lines that are left out.
//! The commands below one heading run in order, in a folder with a copy of
//! `scenarios/`, and `ringfence` is the binary under test. Commands that build
//! or test the project itself are not run again from inside a test: they are
//! [`OUTSIDE`], and every one of them must be there.

mod requirement;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use requirement::required;

/// Commands that the README shows and that run this test, or would start it again.
const OUTSIDE: [&str; 2] = ["cargo test", ".ci/run"];

/// The command that the README is about.
const FIRST: &str = "cargo run --release -- run";

/// What stands for the binary under test.
const RINGFENCE: [&str; 2] = ["cargo run --release -- ", "ringfence "];

/// A command of the README.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    /// Its line in the README, from 1.
    line: usize,
    /// The command as a reader would type it.
    text: String,
    /// How it ends.
    code: i32,
    /// What it prints, as far as the README shows it.
    output: Vec<String>,
}

impl Shown {
    fn new(line: usize, command: &str) -> Result<Self, String> {
        let (text, code) = match command.split_once("# exits ") {
            Some((text, code)) => {
                let code = code.trim();
                let number = code.parse().map_err(|_| {
                    format!("README.md:{line}: expected a number after `# exits`, found `{code}`")
                })?;
                (text, number)
            }
            None => (command, 0),
        };
        Ok(Self { line, text: text.trim().to_owned(), code, output: Vec::new() })
    }

    fn is_outside(&self) -> bool {
        OUTSIDE.contains(&self.text.as_str())
    }

    /// Whether it can fail for want of the embedded cluster alone.
    fn needs_cluster(&self) -> bool {
        let mut rest = RINGFENCE.iter().filter_map(|name| self.text.strip_prefix(name));
        let of_cluster = ["run", "doctor", "conformance", "selftest"];
        rest.any(|rest| of_cluster.iter().any(|command| rest.starts_with(command)))
    }

    /// The command with the binary under test in the place of `ringfence`.
    fn runnable(&self) -> String {
        let binary = env!("CARGO_BIN_EXE_ringfence");
        RINGFENCE
            .iter()
            .find_map(|name| self.text.strip_prefix(name))
            .map_or_else(|| self.text.clone(), |rest| format!("'{binary}' {rest}"))
    }
}

/// The commands below one heading.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Section {
    heading: String,
    commands: Vec<Shown>,
}

fn sections(readme: &str) -> Result<Vec<Section>, String> {
    let mut sections = vec![Section { heading: "opening".into(), commands: Vec::new() }];
    // Inside a fence: whether it is one with commands.
    let mut fence: Option<bool> = None;
    for (index, line) in readme.lines().enumerate() {
        match (line.strip_prefix("```"), fence) {
            (Some(language), None) => fence = Some(language.trim() == "console"),
            (Some(_), Some(_)) => fence = None,
            (None, None) => {
                if let Some(heading) = line.strip_prefix('#') {
                    let heading = heading.trim_start_matches('#').trim().to_owned();
                    sections.push(Section { heading, commands: Vec::new() });
                }
            }
            (None, Some(console)) => {
                let Some(section) = sections.last_mut().filter(|_| console) else { continue };
                match (line.strip_prefix("$ "), section.commands.last_mut()) {
                    (Some(command), _) => section.commands.push(Shown::new(index + 1, command)?),
                    (None, Some(command)) => command.output.push(line.to_owned()),
                    (None, None) => {}
                }
            }
        }
    }
    sections.retain(|section| !section.commands.is_empty());
    Ok(sections)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The first shown line that does not come in the output, after those before it.
fn missing<'a>(shown: &'a [String], printed: &str) -> Option<&'a str> {
    let mut printed = printed.lines().map(lasting);
    shown
        .iter()
        .filter(|line| !line.trim().is_empty() && line.trim() != "…")
        .find(|line| !printed.any(|found| found == lasting(line)))
        .map(String::as_str)
}

/// A line without what differs from run to run: times, seeds, and the spaces they take.
fn lasting(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_time = |word: &str| word.trim_end_matches(['s', ';', ',']).parse::<f64>().is_ok();
    let mut kept = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let unit = words.get(index + 1).map(|next| next.trim_end_matches([';', ',']));
        let seconds = word.ends_with('s') || word.contains('.');
        let timed = is_time(word) && (seconds || matches!(unit, Some("s" | "ms" | "µs")));
        let seed = index > 0 && words[index - 1] == "seed";
        let its_unit = matches!(word.trim_end_matches([';', ',']), "s" | "ms" | "µs");
        kept.push(if timed || seed || its_unit || *word == "-" { "#" } else { word });
    }
    kept.dedup();
    kept.join(" ")
}

/// Runs a section's commands in order; the first that ends otherwise fails it.
fn follow(root: &Path, section: &Section) -> Result<Completion, Failed> {
    let place = tempfile::tempdir()?;
    copy(&root.join("scenarios"), &place.path().join("scenarios"))?;
    for command in section.commands.iter().filter(|command| !command.is_outside()) {
        let output = Command::new("sh")
            .args(["-c", &command.runnable()])
            .current_dir(place.path())
            .stdin(Stdio::null())
            .output()?;
        if output.status.code() == Some(command.code) {
            if let Some(line) = missing(&command.output, &String::from_utf8_lossy(&output.stdout)) {
                return Err(format!(
                    "README.md:{}: expected `{}` to print, here or later:\n{line}\nfound\n{}",
                    command.line,
                    command.text,
                    String::from_utf8_lossy(&output.stdout),
                )
                .into());
            }
            continue;
        }
        if command.needs_cluster() && !required("embedded") && !embedded_works() {
            return Ok(Completion::ignored_with(
                "the embedded cluster does not work here; `ringfence doctor` says why",
            ));
        }
        return Err(format!(
            "README.md:{}: expected `{}` to exit {}, found {}\n--- stdout\n{}--- stderr\n{}",
            command.line,
            command.text,
            command.code,
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        )
        .into());
    }
    Ok(Completion::Completed)
}

fn embedded_works() -> bool {
    Command::new(env!("CARGO_BIN_EXE_ringfence"))
        .arg("doctor")
        .stdin(Stdio::null())
        .output()
        .is_ok_and(|output| output.status.success())
}

/// The commands that must be there, are.
fn complete(sections: &[Section]) -> Result<(), Failed> {
    for must in OUTSIDE.into_iter().chain([FIRST]) {
        let mut commands = sections.iter().flat_map(|section| &section.commands);
        if !commands.any(|command| command.text == must) {
            return Err(format!("expected a line `$ {must}` in README.md, found none").into());
        }
    }
    Ok(())
}

/// The reader of the README, on a text with everything that it must tell apart.
fn tells_commands_apart() -> Result<(), Failed> {
    let text = "\
# Title
```yaml
$ not a command
# not a heading
```
## Two commands
```console
$ ringfence lint a  # exits 2
its output
```
```console
$ cargo test
```
";
    let expected = Ok(vec![Section {
        heading: "Two commands".into(),
        commands: vec![
            Shown {
                line: 8,
                text: "ringfence lint a".into(),
                code: 2,
                output: vec!["its output".into()],
            },
            Shown { line: 12, text: "cargo test".into(), code: 0, output: vec![] },
        ],
    }]);
    let found = sections(text);
    if found != expected {
        return Err(format!("expected {expected:#?}, found {found:#?}").into());
    }
    let shown = ["PASS a  1.2 ms".to_owned(), "…".into(), "in 3.1 s; seed 7".into()];
    let printed = "x\nPASS a  17 s\ny\nin 9 ms; seed 12\n";
    if missing(&shown, printed).is_some() || missing(&shown[..1], "PASS b  1.2 ms\n").is_none() {
        return Err("expected times and seeds to be passed over, and nothing else".into());
    }
    if sections("```console\n$ ringfence lint a # exits badly\n```\n").is_ok() {
        return Err("expected an exit code that is no number to be an error, found none".into());
    }
    Ok(())
}

/// A heading as a part of a trial's name.
fn slug(heading: &str) -> String {
    let words = heading.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_lowercase()
}

fn main() {
    let arguments = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = fs::read_to_string(root.join("README.md")).expect("README.md can be read");
    let sections = sections(&readme).expect("README.md's commands can be read");
    let mut trials = vec![
        Trial::test("readme::its-reader-tells-commands-apart", tells_commands_apart),
        Trial::test("readme::the-commands-that-must-be-there-are", {
            let sections = sections.clone();
            move || complete(&sections)
        }),
    ];
    for section in sections {
        if section.commands.iter().all(Shown::is_outside) {
            continue;
        }
        let root = root.clone();
        let name = format!("readme::{}", slug(&section.heading));
        trials.push(Trial::ignorable_test(name, move || follow(&root, &section)));
    }
    libtest_mimic::run(&arguments, trials).exit();
}
