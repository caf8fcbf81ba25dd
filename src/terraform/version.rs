//! Which Terraform or OpenTofu it is, as far as it decides anything here.

use std::path::Path;

/// Who made it. The two count their versions alike up to the fork, 1.6, and apart from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// HashiCorp's.
    Terraform,
    /// The fork.
    OpenTofu,
}

/// A version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Of which of the two.
    pub product: Product,
    /// Major, minor and patch number.
    pub number: (u32, u32, u32),
}

/// Something that not every version can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// `plan -json` and `apply -json`.
    Json,
    /// `init -json`.
    InitJson,
    /// `plan -refresh-only`.
    RefreshOnly,
    /// `use_lockfile` of the `s3` backend, no longer as an experiment.
    LockFile,
}

impl Feature {
    /// The first version of each that has it.
    const fn since(self, product: Product) -> (u32, u32, u32) {
        match (self, product) {
            (Self::Json, _) => (0, 15, 3),
            (Self::RefreshOnly, _) => (0, 15, 4),
            (Self::InitJson, Product::Terraform) => (1, 9, 0),
            (Self::InitJson, Product::OpenTofu) => (1, 8, 0),
            (Self::LockFile, Product::Terraform) => (1, 11, 0),
            (Self::LockFile, Product::OpenTofu) => (1, 10, 0),
        }
    }
}

impl Version {
    /// Reads the version out of what `terraform version` prints: its first line that is one
    /// (`Terraform v1.11.4`, `OpenTofu v1.9.0`), or the document of `-json`. Warnings about the
    /// CLI's configuration may stand before it.
    pub fn parse(printed: &str) -> Option<Self> {
        let json = serde_json::from_str::<serde_json::Value>(printed).ok();
        if let Some(text) = json.as_ref().and_then(|json| json.get("terraform_version")?.as_str()) {
            return Some(Self { product: Product::Terraform, number: number(text)? });
        }
        printed.lines().find_map(|line| {
            let (name, rest) = line.trim().split_once(" v")?;
            let product = match name {
                "Terraform" => Product::Terraform,
                "OpenTofu" => Product::OpenTofu,
                _ => return None,
            };
            Some(Self { product, number: number(rest)? })
        })
    }

    /// Whether it can do that.
    pub fn has(self, feature: Feature) -> bool {
        self.number >= feature.since(self.product)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.product {
            Product::Terraform => "Terraform",
            Product::OpenTofu => "OpenTofu",
        };
        let (major, minor, patch) = self.number;
        write!(f, "{name} {major}.{minor}.{patch}")
    }
}

/// What `program` says that it is, run in `dir`. It costs a start of Terraform, so that it is asked
/// only where something depends on it.
pub fn of(program: &Path, dir: &Path) -> Option<Version> {
    let mut command = std::process::Command::new(program);
    command.arg("version").current_dir(dir).stdin(std::process::Stdio::null());
    // Arguments for every command would be taken for its own.
    let output = command.env_remove("TF_CLI_ARGS").env_remove("TF_CLI_ARGS_version").output().ok()?;
    Version::parse(&String::from_utf8_lossy(&output.stdout))
}

fn number(text: &str) -> Option<(u32, u32, u32)> {
    let plain = text.split(|c: char| !(c.is_ascii_digit() || c == '.')).next()?;
    let mut numbers = plain.split('.');
    let mut next = || numbers.next()?.parse().ok();
    Some((next()?, next()?, next().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::Product::{OpenTofu, Terraform};
    use super::*;

    fn version(product: Product, number: (u32, u32, u32)) -> Version {
        Version { product, number }
    }

    #[test]
    fn versions_are_read_from_either_form() {
        for (printed, expected) in [
            ("Terraform v1.11.4\non linux_amd64\n", Some(version(Terraform, (1, 11, 4)))),
            ("Terraform v0.15.3", Some(version(Terraform, (0, 15, 3)))),
            ("OpenTofu v1.9.0-rc1\n", Some(version(OpenTofu, (1, 9, 0)))),
            ("OpenTofu v1.8.2\non linux_amd64\n", Some(version(OpenTofu, (1, 8, 2)))),
            ("{\"terraform_version\": \"1.8.5\"}", Some(version(Terraform, (1, 8, 5)))),
            ("There are some problems\n\nTerraform v1.2\n", Some(version(Terraform, (1, 2, 0)))),
            ("nonsense", None),
            ("nonsense v1.2.3", None),
            ("", None),
        ] {
            assert_eq!(Version::parse(printed), expected, "{printed}");
        }
    }

    #[test]
    fn what_a_version_can_do() {
        for (product, number, features) in [
            (Terraform, (0, 15, 0), &[][..]),
            (Terraform, (0, 15, 3), &[Feature::Json]),
            (Terraform, (0, 15, 4), &[Feature::Json, Feature::RefreshOnly]),
            (Terraform, (1, 8, 9), &[Feature::Json, Feature::RefreshOnly]),
            (Terraform, (1, 9, 0), &[Feature::Json, Feature::RefreshOnly, Feature::InitJson]),
            (OpenTofu, (1, 7, 9), &[Feature::Json, Feature::RefreshOnly]),
            (OpenTofu, (1, 8, 0), &[Feature::Json, Feature::RefreshOnly, Feature::InitJson]),
            (Terraform, (2, 0, 0), &[Feature::Json, Feature::RefreshOnly, Feature::InitJson]),
        ] {
            for feature in [Feature::Json, Feature::RefreshOnly, Feature::InitJson] {
                assert_eq!(
                    version(product, number).has(feature),
                    features.contains(&feature),
                    "{product:?} {number:?} {feature:?}"
                );
            }
        }
    }
}
