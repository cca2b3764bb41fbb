//! The `[agent]` table of a configuration file: what `auxd` watches, how often, and whom it tells.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Settings of the agent. What is not set has the default that docs/commands.md names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// Whether this machine itself is watched; yes where nothing is said.
    pub machine: Option<bool>,
    /// Other targets, as `aux audit` takes them.
    #[serde(default)]
    pub targets: Vec<String>,
    /// Audited again after so many hours also where nothing seems to have changed.
    pub every_hours: Option<u32>,
    /// How old feed and audit may be and still be believed.
    pub max_age_hours: Option<u32>,
    /// Which findings are told of, in the words of the gate.
    pub alert_on: Option<String>,
    /// Where state is kept.
    pub state: Option<PathBuf>,
    /// Where the socket and the line for terminals are.
    pub runtime: Option<PathBuf>,
    /// A file for the textfile collector of a Prometheus node exporter.
    pub metrics_file: Option<PathBuf>,
    /// Whether the system bus is served; yes where nothing is said.
    pub bus: Option<bool>,
}

impl fmt::Display for Agent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        words.extend(self.machine.map(|machine| format!("machine = {machine}")));
        words.extend((!self.targets.is_empty()).then(|| format!("targets = {}", self.targets.join(", "))));
        words.extend(self.every_hours.map(|hours| format!("every_hours = {hours}")));
        words.extend(self.max_age_hours.map(|hours| format!("max_age_hours = {hours}")));
        words.extend(self.alert_on.as_ref().map(|gate| format!("alert_on = {gate}")));
        let paths = [("state", &self.state), ("runtime", &self.runtime), ("metrics_file", &self.metrics_file)];
        for (name, path) in paths {
            words.extend(path.as_ref().map(|path| format!("{name} = {}", path.display())));
        }
        words.extend(self.bus.map(|bus| format!("bus = {bus}")));
        formatter.write_str(&words.join("; "))
    }
}

impl Agent {
    /// Paths are meant from the folder of the file that names them; a target may be no path at all.
    pub(crate) fn in_folder(mut self, folder: &Path) -> Self {
        for path in [&mut self.state, &mut self.runtime, &mut self.metrics_file].into_iter().flatten() {
            *path = folder.join(&path);
        }
        for target in &mut self.targets {
            let here = folder.join(&target);
            if here.exists() {
                *target = here.display().to_string();
            }
        }
        self
    }
}
