//! Which model a command is about. A certificate may suggest one; only the digest decides.

use super::streams::stage;
use crate::bundled::BUNDLED;
use crate::certificate::Certificate;
use crate::kind;
use crate::model::Network;
use crate::refusal::Refusal;
use std::path::{Component, Path};

/// A network and where it came from.
pub(crate) struct Model {
    pub(crate) network: Network,
    pub(crate) source: String,
}

/// The model named on the command line, or the bundled one.
pub(crate) fn named(path: Option<&Path>) -> Result<Model, Refusal> {
    let source = match path {
        Some(path) => path.display().to_string(),
        None => format!("bundled {BUNDLED}"),
    };
    stage(format_args!("reading the model {source}"));
    let network = path.map_or_else(Network::bundled, kind::load)?;
    Ok(Model { network, source })
}

/// The model for a certificate: the one named on the command line, else the bundled one if the digest is its, else the
/// one that the certificate suggests, below the certificate's own folder.
pub(crate) fn for_certificate(
    path: Option<&Path>,
    file: &Path,
    certificate: &Certificate,
) -> Result<Model, Refusal> {
    let bundled = named(path)?;
    if path.is_some() || bundled.network.sha256 == certificate.network {
        return Ok(bundled);
    }
    let Some(suggestion) = certificate.model.as_deref() else {
        return Ok(bundled);
    };
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut found = folder.to_path_buf();
    for component in Path::new(suggestion).components() {
        match component {
            Component::Normal(name) => found.push(name),
            _ => {
                return Err(refused(
                    suggestion,
                    "it must be a relative path without `..`",
                ));
            }
        }
        if found
            .symlink_metadata()
            .is_ok_and(|metadata| metadata.is_symlink())
        {
            return Err(refused(
                suggestion,
                "it must not lead through symbolic links",
            ));
        }
    }
    named(Some(&found)).map_err(|error| match error {
        Refusal::Unreadable(reason) => refused(suggestion, &reason),
        other => other,
    })
}

fn refused(suggestion: &str, reason: &str) -> Refusal {
    let suggestion: String = suggestion.chars().take(100).collect();
    Refusal::Unreadable(format!(
        "the certificate suggests the model {suggestion:?}: {reason}; name the model behind the certificate"
    ))
}
