//! The image as an OCI image layout (OCI image specification 1.1: "Image Layout Specification").

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::write::{Image, sha256};

/// Every file of the layout by its path in it.
pub(super) fn layout(image: &Image<'_>) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let layer = &image.layer.packed;
    let layer_digest = sha256(layer);
    let config = bytes(&json!({
        "architecture": "amd64",
        "os": image.spec.os,
        "created": image.at.to_string(),
        "config": { "Labels": labels(image) },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", image.layer.unpacked_sha256)] },
        "history": [{ "created": image.at.to_string(), "created_by": "aux image build" }],
    }));
    let config_digest = sha256(&config);
    let manifest = bytes(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config_digest, config.len()),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &layer_digest, layer.len())],
        "annotations": labels(image),
    }));
    let manifest_digest = sha256(&manifest);
    let mut reference = descriptor("application/vnd.oci.image.manifest.v1+json", &manifest_digest, manifest.len());
    if let Some(object) = reference.as_object_mut() {
        object.insert("annotations".to_owned(), json!({ "org.opencontainers.image.ref.name": image.version }));
        object.insert("platform".to_owned(), json!({ "architecture": "amd64", "os": image.spec.os }));
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [reference],
    });
    files.insert("oci-layout".to_owned(), bytes(&json!({ "imageLayoutVersion": "1.0.0" })));
    files.insert("index.json".to_owned(), bytes(&index));
    files.insert(format!("blobs/sha256/{layer_digest}"), layer.clone());
    files.insert(format!("blobs/sha256/{config_digest}"), config);
    files.insert(format!("blobs/sha256/{manifest_digest}"), manifest);
    files
}

fn labels(image: &Image<'_>) -> Value {
    json!({
        "org.opencontainers.image.title": image.spec.name,
        "org.opencontainers.image.version": image.version,
        "org.opencontainers.image.created": image.at.to_string(),
        "org.opencontainers.image.description": image.spec.description,
        "org.pkgsrc.platform": image.spec.platform,
        "org.pkgsrc.branch": image.spec.branch,
    })
}

fn descriptor(media_type: &str, digest: &str, size: usize) -> Value {
    json!({ "mediaType": media_type, "digest": format!("sha256:{digest}"), "size": size })
}

fn bytes(value: &Value) -> Vec<u8> {
    // A value always serializes.
    serde_json::to_vec(value).unwrap_or_default()
}
