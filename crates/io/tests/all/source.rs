//! Files fetched in the words of HTTP.

use std::path::Path;

use aux_io::http::{HttpClient, HttpError, HttpOptions, Request, Url};
use aux_io::source::Source;

fn source() -> Source {
    Source::new(HttpClient::new(HttpOptions::new("aux/test")).unwrap())
}

fn file(folder: &Path, text: &str) -> Url {
    let path = folder.join("feed.json");
    aux_io::file::replace(&path, text.as_bytes()).unwrap();
    Url::of_path(&path).unwrap()
}

#[test]
fn a_file_answers_200_then_304_then_a_range() {
    let folder = tempfile::tempdir().unwrap();
    let url = file(folder.path(), "0123456789");
    let whole = source().fetch(&Request::get(url.clone(), 10)).unwrap();
    let etag = whole.etag.clone();
    assert_eq!((whole.status, whole.body.length_bytes()), (200, Some(10)));
    assert_eq!(whole.bytes().unwrap(), b"0123456789");
    let again = source().fetch(&Request { etag: etag.clone(), ..Request::get(url.clone(), 10) }).unwrap();
    assert!(again.is_unchanged());
    let rest = Request { etag: etag.clone(), range_start: Some(4), ..Request::get(url.clone(), 10) };
    let part = source().fetch(&rest).unwrap();
    assert_eq!((part.status, part.range.unwrap().start), (206, 4));
    assert_eq!(part.bytes().unwrap(), b"456789");
    let beyond = source().fetch(&Request { range_start: Some(10), ..Request::get(url.clone(), 10) }).unwrap();
    assert_eq!(beyond.status, 416);
    file(folder.path(), "another version");
    assert_eq!(source().fetch(&Request { limit_bytes: 99, ..rest }).unwrap().status, 200);
}

#[test]
fn a_missing_file_is_404_and_a_large_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let url = file(folder.path(), "0123456789");
    assert!(source().fetch(&Request::get(url.join("other.json").unwrap(), 10)).unwrap().is_missing());
    let refused = source().fetch(&Request::get(url.clone(), 9)).unwrap_err();
    assert!(matches!(refused, HttpError::TooLarge { limit_bytes: 9, .. }), "{refused}");
    let folder = source().fetch(&Request::get(url.join(".").unwrap(), 9)).unwrap_err();
    assert!(folder.to_string().ends_with("cannot be read: it is not a regular file"), "{folder}");
    let sent = source().fetch(&Request::post(url, Vec::new(), 9)).unwrap_err();
    assert!(sent.to_string().contains("nothing can be sent to a file"), "{sent}");
}
