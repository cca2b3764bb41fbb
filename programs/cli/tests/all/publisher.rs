//! A publisher of every source on loopback, which speaks the interfaces of the real ones and misbehaves when told to.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;

use crate::feed_build::gzip;
use crate::fixtures;
use crate::http_server::{Answer, HttpServer, Received};

/// What a test changes while the server runs.
#[derive(Default)]
pub(crate) struct Published {
    /// Files by path; their tag is made of their content.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Answers given once, in order, before the file of a path is.
    pub(crate) once: BTreeMap<String, Vec<Answer>>,
    /// What NVD's API holds.
    pub(crate) records: Vec<Value>,
    /// Of every answer, no more than this much of the body before hanging up.
    pub(crate) cut: BTreeMap<String, usize>,
}

pub(crate) struct Publisher {
    pub(crate) server: HttpServer,
    pub(crate) published: Arc<Mutex<Published>>,
}

impl Publisher {
    pub(crate) fn new() -> Self {
        let published = Arc::new(Mutex::new(Published::default()));
        let answering = Arc::clone(&published);
        let server = HttpServer::start(move |request| answering.lock().unwrap().answer(request));
        let publisher = Self { server, published };
        publisher.year("2002", &fixtures::nvd());
        for year in 2003..=2099 {
            publisher.year(&year.to_string(), &nvd(&[]));
        }
        publisher.year("modified", &nvd(&[]));
        let osv = fixtures::osv();
        let record = osv.as_array().map_or(&osv, |list| &list[0]);
        publisher.osv(std::slice::from_ref(record));
        publisher.file("/kev.json", kev(&["CVE-2020-10001"]).to_string());
        publisher.file(
            "/vulns",
            "#FORMAT 1.1.0\nzlib<1.2.12\theap-overflow\thttps://nvd.nist.gov/vuln/detail/CVE-2020-10002\n",
        );
        publisher.list("2026-11-21", "cve_2026-11-21_0000Z");
        publisher
    }

    /// The options that lead a fetch here.
    pub(crate) fn bases(&self) -> String {
        let bases = [
            ("nvd", "/nvd"),
            ("nvd-api", "/api"),
            ("osv", "/osv"),
            ("kev", "/kev.json"),
            ("pkgsrc", "/vulns"),
            ("cve5", "/latest"),
        ];
        let bases = bases.map(|(name, path)| format!("{name}={}", self.server.url(path)));
        format!("--osv-ecosystem Go --base {}", bases.join(" "))
    }

    pub(crate) fn file(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.published.lock().unwrap().files.insert(path.to_owned(), bytes.into());
    }

    /// A yearly file and its checksum.
    pub(crate) fn year(&self, name: &str, document: &Value) {
        let text = document.to_string();
        let sum = Sha256::digest(&text).iter().fold(String::new(), |sum, byte| sum + &format!("{byte:02X}"));
        let meta = format!("lastModifiedDate:2026-11-20T03:00:00-05:00\r\nsize:{}\r\nsha256:{sum}\r\n", text.len());
        self.file(&format!("/nvd/nvdcve-2.0-{name}.meta"), meta);
        self.file(&format!("/nvd/nvdcve-2.0-{name}.json.gz"), gzip(text.as_bytes()));
    }

    /// OSV's export of Go: an archive, each record, and the list of changes.
    pub(crate) fn osv(&self, records: &[Value]) {
        let name = |record: &Value| format!("{}.json", record["id"].as_str().unwrap());
        let texts: Vec<(String, String)> = records.iter().map(|record| (name(record), record.to_string())).collect();
        let files: Vec<(&str, &[u8])> = texts.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
        self.file("/osv/Go/all.zip", zipped(&files));
        let mut list: Vec<String> = records
            .iter()
            .map(|record| format!("{},{}", record["modified"].as_str().unwrap(), record["id"].as_str().unwrap()))
            .collect();
        list.sort_by(|left, right| right.cmp(left));
        self.file("/osv/Go/modified_id.csv", list.join("\n") + "\n");
        for (name, text) in &texts {
            self.file(&format!("/osv/Go/{name}"), text.as_str());
        }
    }

    /// A release of the CVE list.
    pub(crate) fn list(&self, day: &str, tag: &str) {
        let text = fixtures::cve5().to_string();
        let inner = zipped(&[("cves/2020/10xxx/CVE-2020-10007.json", text.as_bytes()), ("cves/deltaLog.json", b"[]")]);
        let (all, delta) =
            (format!("/{tag}/{day}_all_CVEs_at_midnight.zip.zip"), format!("/{tag}/{day}_delta_CVEs_at_0100Z.zip"));
        let asset = |path: &str| json!({ "name": path.rsplit('/').next(), "browser_download_url": self.server.url(path), "digest": null });
        let release = json!({ "tag_name": tag, "assets": [asset(&all), asset(&delta)] });
        self.file(&all, zipped(&[("cves.zip", &inner)]));
        self.file(&delta, zipped(&[("deltaCves/CVE-2020-10007.json", text.as_bytes())]));
        self.file("/latest", release.to_string());
    }

    /// Before anything else, answer this for the path.
    pub(crate) fn once(&self, path: &str, answer: Answer) {
        self.published.lock().unwrap().once.entry(path.to_owned()).or_default().push(answer);
    }

    pub(crate) fn cut(&self, path: &str, after: Option<usize>) {
        let mut published = self.published.lock().unwrap();
        match after {
            Some(after) => drop(published.cut.insert(path.to_owned(), after)),
            None => drop(published.cut.remove(path)),
        }
    }
}

impl Published {
    fn answer(&mut self, request: &Received) -> Answer {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        if let Some(answers) = self.once.get_mut(path)
            && !answers.is_empty()
        {
            return answers.remove(0);
        }
        if path == "/api" {
            return self.page(query);
        }
        let Some(bytes) = self.files.get(path) else { return Answer::new(404) };
        let etag =
            format!("\"{:x}\"", Sha256::digest(bytes)[..8].iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)));
        Answer { cut_after: self.cut.get(path).copied(), ..Answer::file(request, &etag, bytes) }
    }

    /// Two records a page, whatever is asked for; of a window, those that changed in it.
    fn page(&self, query: &str) -> Answer {
        let parameters: BTreeMap<&str, String> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name, value.replace("%3A", ":").replace("%2B", "+")))
            .collect();
        let moment = |name: &str| parameters.get(name).map(|text| text[..19].to_owned());
        let (from, until) = (moment("lastModStartDate"), moment("lastModEndDate"));
        let found: Vec<&Value> = self
            .records
            .iter()
            .filter(|item| {
                let modified = item["cve"]["lastModified"].as_str().unwrap()[..19].to_owned();
                from.as_ref().is_none_or(|from| modified >= *from)
                    && until.as_ref().is_none_or(|until| modified <= *until)
            })
            .collect();
        let start: usize = parameters["startIndex"].parse().unwrap();
        let page: Vec<&Value> = found.iter().skip(start).take(2).copied().collect();
        let document = json!({ "resultsPerPage": page.len(), "startIndex": start, "totalResults": found.len(),
            "format": "NVD_CVE", "version": "2.0", "vulnerabilities": page });
        Answer::ok(gzip(document.to_string().as_bytes())).header("Content-Encoding", "gzip")
    }
}

pub(crate) fn nvd(items: &[Value]) -> Value {
    json!({ "format": "NVD_CVE", "version": "2.0", "vulnerabilities": items })
}

pub(crate) fn kev(ids: &[&str]) -> Value {
    let entries: Vec<Value> = ids.iter().map(|id| json!({ "cveID": id, "dateAdded": "2021-01-01" })).collect();
    json!({ "title": "t", "catalogVersion": "1", "count": entries.len(), "vulnerabilities": entries })
}

pub(crate) fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}
