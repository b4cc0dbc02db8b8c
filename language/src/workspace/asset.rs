//! The names of registered assets: `azureml:NAME@LABEL`, `azureml:NAME:VERSION`, `azureml://registries/R/KIND/NAME/versions/V` and bare
//! `NAME`, `NAME:VERSION`, `NAME@LABEL`.

use std::collections::BTreeMap;
use tidemill_protocol::catalog::AssetRef;

/// A registered asset's name in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AssetName<'t> {
    /// As written.
    pub(crate) whole: &'t str,
    /// The name alone.
    pub(crate) name: &'t str,
    /// Its version, if one was asked for.
    pub(crate) version: Option<&'t str>,
    /// The label by which it was asked for.
    pub(crate) label: Option<&'t str>,
}

impl<'t> AssetName<'t> {
    /// Reads any of the forms; none when the text is an address of something else.
    pub(crate) fn parse(whole: &'t str) -> Option<Self> {
        if let Some(path) = whole.strip_prefix("azureml://") {
            return Self::from_path(whole, path);
        }
        let bare = whole.strip_prefix("azureml:").unwrap_or(whole);
        if bare.is_empty() || bare.contains('/') {
            return None;
        }
        let (name, version, label) = match (bare.split_once('@'), bare.split_once(':')) {
            (Some((name, label)), _) => (name, None, Some(label)),
            (None, Some((name, version))) => (name, Some(version), None),
            (None, None) => (bare, None, None),
        };
        Some(Self {
            whole,
            name,
            version,
            label,
        })
    }

    /// The same as a catalog is asked for it; none when a catalog can have no such name.
    pub(crate) fn reference(&self) -> Option<AssetRef> {
        let wanted = self.version.or(self.label).map(str::parse).transpose();
        Some(AssetRef {
            name: self.name.parse().ok()?,
            wanted: wanted.ok()?,
        })
    }

    /// `registries/R/KIND/NAME[/versions/V|/labels/L]`, or the same below a workspace.
    fn from_path(whole: &'t str, path: &'t str) -> Option<Self> {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let kinds = ["environments", "components", "data", "models"];
        let at = segments.iter().rposition(|segment| kinds.contains(segment))?;
        let name = segments.get(at + 1)?;
        let behind = segments.get(at + 3).copied();
        let (version, label) = match segments.get(at + 2) {
            Some(&"versions") => (behind, None),
            Some(&"labels") => (None, behind),
            _ => (None, None),
        };
        Some(Self {
            whole,
            name,
            version,
            label,
        })
    }

    /// The entry for this name: as written, then with its version, then by name alone.
    pub(crate) fn find<'m, V>(&self, table: &'m BTreeMap<String, V>) -> Option<&'m V> {
        table
            .get(self.whole)
            .or_else(|| table.get(&format!("{}:{}", self.name, self.version?)))
            .or_else(|| table.get(self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_name_is_taken_apart() {
        for (text, name, version) in [
            ("azureml:env@latest", "env", None),
            ("azureml:env:3", "env", Some("3")),
            ("env", "env", None),
            (
                "azureml://registries/azureml/environments/sklearn-1.5/labels/latest",
                "sklearn-1.5",
                None,
            ),
            (
                "azureml://registries/r/components/c/versions/0.1.2",
                "c",
                Some("0.1.2"),
            ),
        ] {
            let asset = AssetName::parse(text).unwrap();
            assert_eq!((asset.name, asset.version), (name, version), "{text}");
        }
        assert_eq!(AssetName::parse("azureml://datastores/d/paths/p"), None);
        assert_eq!(AssetName::parse("./file.yml"), None);
    }

    #[test]
    fn the_most_exact_entry_wins() {
        let table: BTreeMap<String, u8> = [("a".to_owned(), 1), ("a:2".to_owned(), 2)].into();
        assert_eq!(AssetName::parse("azureml:a:2").unwrap().find(&table), Some(&2));
        assert_eq!(AssetName::parse("azureml:a:3").unwrap().find(&table), Some(&1));
        assert_eq!(AssetName::parse("azureml:b").unwrap().find(&table), None);
    }
}
