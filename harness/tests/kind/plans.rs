//! What `--dry-run` prints, for every entry of the catalogue.

use std::path::{Path, PathBuf};

use ringfence::catalogue::{Level, cases};
use ringfence::cluster::cni::{Catalogue, CniChoice};
use ringfence::cluster::kind::{Plan, PlanOptions, kind_name};
use ringfence::scenario::CellPattern;

pub(crate) fn catalogue() -> Catalogue {
    Catalogue::shipped().unwrap()
}

pub(crate) fn options(folder: &Path) -> PlanOptions {
    PlanOptions {
        name: kind_name("golden"),
        folder: folder.to_owned(),
        manifests: None,
        images: None,
        arch: "amd64".to_owned(),
    }
}

pub(crate) fn plan(choice: &CniChoice, folder: &Path) -> Plan {
    Plan::new(choice, &options(folder)).unwrap()
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cni").join(name)
}

pub(crate) fn every_entry_has_its_plan() {
    for cni in catalogue().all() {
        let text = match catalogue().choose(&cni.name) {
            Ok(choice) => plan(&choice, Path::new("clusters/golden")).to_string(),
            Err(error) => format!("{error}\n"),
        };
        expect_test::expect_file![golden(&format!("{}.txt", cni.name))].assert_eq(&text);
    }
}

pub(crate) fn a_plan_from_disk_names_every_file() {
    let choice = catalogue().choose("flannel").unwrap();
    let mut options = options(Path::new("clusters/golden"));
    (options.manifests, options.images) = (Some("manifests".into()), Some("images".into()));
    let plan = Plan::new(&choice, &options).unwrap();
    expect_test::expect_file![golden("from-disk.txt")].assert_eq(&plan.to_string());
}

pub(crate) fn every_sighting_is_of_cells_of_a_scenario() {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let catalogue = catalogue();
    let dataplanes = catalogue.all().iter().map(|cni| cni.dataplane(""));
    let known = dataplanes.flat_map(|found| [found.deviations, found.choices].concat());
    let sightings: Vec<_> = known.flat_map(|known| known.seen).collect();
    assert!(!sightings.is_empty());
    let cases = cases().unwrap();
    for sighting in sightings {
        let named = &sighting.scenario;
        let cells = match CellPattern::parse(&sighting.cells) {
            Ok(cells) => cells,
            Err(error) => panic!("`{}` of `{named}`: {error}", sighting.cells),
        };
        if library.join(named).join("scenario.yaml").is_file() {
            continue;
        }
        let of = |id: &str| named.strip_suffix('*').map_or(id == named, |all| id.starts_with(all));
        let mut cases = cases.iter().filter(|case| of(&case.id)).peekable();
        assert!(cases.peek().is_some(), "expected a scenario or a case `{named}`");
        for case in cases {
            // Only choices are seen in cases so far.
            assert_eq!(case.level, Level::Undefined, "{}", case.id);
            let shows = case.deciding.iter().any(|deciding| cells.matches(&deciding.cell));
            assert!(shows, "`{}` is no cell of `{}`", sighting.cells, case.id);
        }
    }
}
