//! Every bound on foreign input, named, with its unit. A room that meets more refuses and says which bound.

/// A single JSON or TOML document, unpacked, bytes. Line-based input streams without this bound.
pub const DOCUMENT_BYTES_MAX: u64 = 1 << 30;
/// A single derivation (`.drv`), bytes.
pub const DERIVATION_BYTES_MAX: u64 = 64 << 20;
/// All derivations of one target together, bytes; they are held in memory as one graph.
pub const DERIVATIONS_BYTES_MAX: u64 = 2 << 30;
/// A single line of a list, bytes.
pub const LINE_BYTES_MAX: usize = 64 << 10;
/// Bytes unpacked from one compressed file or archive in total.
pub const UNPACKED_BYTES_MAX: u64 = 8 << 30;
/// How often larger than its packed form a compressed file may be before it is taken for a bomb.
pub const UNPACK_RATIO_MAX: u64 = 2_000;
/// Unpacked bytes below which the ratio is not looked at.
pub const UNPACK_RATIO_FREE_BYTES: u64 = 64 << 20;
/// Entries in one archive or folder.
pub const ENTRIES_MAX: usize = 1_000_000;
/// Header blocks, long names and extended attributes in front of one archive entry, bytes.
pub const ENTRY_HEADER_BYTES_MAX: u64 = 1 << 20;
/// Nesting of outputs of outputs in one derivation.
pub const DYNAMIC_OUTPUT_DEPTH_MAX: usize = 32;
/// Missing derivations a graph's inventory names one by one; the rest are counted.
pub const MISSING_DERIVATIONS_NAMED_MAX: usize = 20;
/// Nodes of one dependency graph.
pub const GRAPH_NODES_MAX: usize = 4_000_000;
/// Names in the path of a flake's input, and references followed to find what one stands for.
pub const FLAKE_PATH_NAMES_MAX: usize = 256;
/// Nesting of a JSON document; `serde_json`'s own bound.
pub const JSON_DEPTH_MAX: usize = 128;
/// Depth of folders followed below a target.
pub const FOLDER_DEPTH_MAX: usize = 32;
/// Bytes of one patch looked at for CVE ids.
pub const PATCH_BYTES_MAX: u64 = 16 << 20;
/// Characters of a package name or version; longer ones are not names.
pub const NAME_BYTES_MAX: usize = 1_024;
/// Events of one OSV range; the longest published ones have some hundred.
pub const RANGE_EVENTS_MAX: usize = 4_096;
/// Names that the braces of one pkgsrc pattern may stand for; real ones stay below a hundred.
pub const PATTERN_ALTERNATIVES_MAX: usize = 1_024;
/// An armored signature, bytes.
pub const SIGNATURE_BYTES_MAX: usize = 64 << 10;
/// Armored public keys given to check a signature with, bytes.
pub const PUBLIC_KEYS_BYTES_MAX: usize = 4 << 20;
/// A compiled index, bytes.
pub const INDEX_BYTES_MAX: u64 = 1 << 30;
/// An unpacked delta between two indexes, bytes; more is no delta, and the whole index is taken instead.
pub const DELTA_UNPACKED_BYTES_MAX: u64 = 256 << 20;
/// One file of a feed's signed metadata, bytes; those of a feed with a dozen keys stay below twenty thousand.
pub const FEED_METADATA_BYTES_MAX: u64 = 256 << 10;
/// Connections made for one file of a feed before it is given up; each goes on where the one before stopped.
pub const FEED_ATTEMPTS_MAX: u32 = 4;
/// New versions of a feed's root followed in one sync.
pub const FEED_ROOT_UPDATES_MAX: u64 = 256;
/// Last bytes kept of what a child process complains.
pub const PROCESS_ERROR_BYTES_MAX: usize = 64 << 10;
/// Output of a child process, bytes.
pub const PROCESS_OUTPUT_BYTES_MAX: u64 = 1 << 30;
/// One file of a running system that a check reads, bytes.
pub const SYSTEM_FILE_BYTES_MAX: u64 = 4 << 20;
/// Files and folders of a running system or a repository that are looked at for secrets.
pub const SYSTEM_ENTRIES_MAX: usize = 50_000;
/// Bytes at the start of a file that are looked at for a private key.
pub const SECRET_START_BYTES_MAX: u64 = 64 << 10;
/// Links followed from one path; the kernel's own bound.
pub const LINKS_FOLLOWED_MAX: usize = 40;
/// Things one fact of a configuration lists: services, users, files.
pub const FACT_ENTRIES_MAX: usize = 10_000;
/// The JSON of one evaluated configuration, bytes.
pub const CONFIGURATION_BYTES_MAX: u64 = 64 << 20;
/// How long a finding that is gone from a watched system is remembered, seconds: within it, its return is no news.
pub const ALERT_MEMORY_SECONDS: i64 = 90 * 86_400;
/// Events kept for somebody who asks what was told, and for those not handed over yet.
pub const EVENTS_KEPT_MAX: u32 = 10_000;
/// Systems and repositories one state folder watches.
pub const WATCHED_MAX: usize = 1_000;
/// One request over the agent's socket, bytes.
pub const AGENT_REQUEST_BYTES_MAX: u64 = 64 << 10;
/// Callers the agent's socket serves at the same time.
pub const AGENT_CALLERS_MAX: usize = 16;
/// Seconds a caller of the agent's socket may take to say what it wants or to read the answer.
pub const AGENT_CALLER_SECONDS_MAX: u64 = 10;
/// Looking up a host, connecting and agreeing on TLS: each, seconds.
pub const HTTP_CONNECT_SECONDS_MAX: u64 = 20;
/// From a request to the end of its response's headers, seconds.
pub const HTTP_RESPONSE_SECONDS_MAX: u64 = 60;
/// A whole fetch, redirects and body included, seconds.
pub const HTTP_TOTAL_SECONDS_MAX: u64 = 3_600;
/// Slower bodies are given up, bytes a second.
pub const HTTP_SPEED_BYTES_PER_SECOND_MIN: u64 = 512;
/// How long a body is watched before it is called slow, and how long it may stand still, seconds.
pub const HTTP_SPEED_WINDOW_SECONDS: u64 = 30;
/// Redirects of one request.
pub const HTTP_REDIRECTS_MAX: u32 = 5;
/// Connections to one server that are kept for the next requests, where nobody says otherwise.
pub const HTTP_IDLE_CONNECTIONS_MAX: usize = 3;
/// One file of an advisory source, packed as it is published, bytes; the CVE list's archive is the largest, at 600 MB.
pub const FETCH_FILE_BYTES_MAX: u64 = 4 << 30;
/// A checksum file of NVD, bytes.
pub const FETCH_META_BYTES_MAX: u64 = 4 << 10;
/// One OSV record, bytes.
pub const FETCH_OSV_RECORD_BYTES_MAX: u64 = 64 << 20;
/// GitHub's description of a release, bytes.
pub const FETCH_RELEASE_BYTES_MAX: u64 = 16 << 20;
/// Attempts at one download without a new byte.
pub const FETCH_ATTEMPTS_MAX: u32 = 5;
/// A server that wants to be left alone for longer is given up, seconds.
pub const FETCH_WAIT_SECONDS_MAX: u64 = 900;
/// Evaluating one machine of a flake, seconds; a big NixOS system on a slow job needs about one minute.
pub const EVALUATION_SECONDS_MAX: u64 = 600;
/// Machines evaluated in one process, which share what they have in common; more would need too much memory.
pub const EVALUATED_TOGETHER_MAX: usize = 4;
/// Machines and packages of one flake.
pub const FLAKE_OUTPUTS_MAX: usize = 2_000;
/// One question to git, a fetch among them, seconds.
pub const GIT_SECONDS_MAX: u64 = 600;
/// Files of one revision of a repository.
pub const REPOSITORY_FILES_MAX: usize = 500_000;
/// A single file of a repository, bytes.
pub const REPOSITORY_FILE_BYTES_MAX: u64 = 256 << 20;
/// All files of one revision of a repository together, bytes.
pub const REPOSITORY_BYTES_MAX: u64 = 4 << 30;
/// Bytes of a repository's address, or of a branch's name.
pub const REPOSITORY_NAME_BYTES_MAX: usize = 2_048;
/// Alerts handed to one channel at once.
pub const ALERT_BATCH_MAX: u32 = 200;
/// The longest wait between two attempts to deliver an alert, seconds.
pub const ALERT_BACKOFF_SECONDS_MAX: i64 = 6 * 3_600;
/// The wait after the first failed attempt, seconds; it doubles with each.
pub const ALERT_BACKOFF_SECONDS_MIN: i64 = 30;
/// How long delivery of an alert is tried, seconds.
pub const ALERT_RETRY_SECONDS_MAX: i64 = 30 * 86_400;
/// How long a settled alert is remembered, so that it is not accepted again, seconds.
pub const ALERT_SETTLED_SECONDS_MAX: i64 = 90 * 86_400;
/// Characters of one foreign word (a package, a version, a title) shown in an alert.
pub const ALERT_WORD_CHARACTERS_MAX: usize = 120;
/// Notifications shown one by one; more at once become one that counts them.
pub const ALERT_TOASTS_MAX: usize = 3;
/// Characters of the terminal's line.
pub const ALERT_LINE_CHARACTERS_MAX: usize = 200;
/// A file that holds a secret or a URL, bytes.
pub const SECRET_FILE_BYTES_MAX: u64 = 64 << 10;
/// What a webhook's server answers, bytes read at most.
pub const WEBHOOK_ANSWER_BYTES_MAX: u64 = 64 << 10;
/// From the beginning to the end of sending to one channel, seconds.
pub const ALERT_SEND_SECONDS_MAX: u64 = 30;
/// One NAR put into a cache, unpacked, bytes.
pub const CACHE_NAR_BYTES_MAX: u64 = 64 << 30;
/// Entries of a NAR whose listing a cache keeps; larger ones have none.
pub const CACHE_LISTING_ENTRIES_MAX: usize = 200_000;
/// One request of a cache's interface, bytes.
pub const CACHE_REQUEST_BYTES_MAX: usize = 16 << 20;
/// A build log or a realisation put into a cache, bytes.
pub const CACHE_NOTE_BYTES_MAX: usize = 64 << 20;
/// The head of one request to a cache, bytes.
pub const CACHE_HEAD_BYTES_MAX: usize = 64 << 10;
/// How long a client of a cache may take for the head of a request, and stay idle between two, seconds.
pub const CACHE_HEAD_SECONDS_MAX: u64 = 60;
/// How long a client of a cache may stand still while it sends or takes a body, seconds.
pub const CACHE_STALL_SECONDS_MAX: u64 = 60;
/// How fast a NAR must come at least, bytes per second: one of which the cache has all chunks is a few dozen bytes for each of
/// them, and its sender reads as much as its disk gives.
pub const CACHE_NAR_SPEED_BYTES_PER_SECOND_MIN: u64 = 32;
/// What is still read of a body after it was refused, bytes and seconds, so that its sender comes to read why.
pub const CACHE_LINGER_BYTES: u64 = 64 << 20;
pub const CACHE_LINGER_SECONDS: u64 = 10;
/// How fast the scrubber of a cache reads NARs, bytes per second: a percent of one core's hashing.
pub const CACHE_SCRUB_BYTES_PER_SECOND: u64 = 8_000_000;
/// How long the scrubber of a cache waits after the start and between two rounds, seconds.
pub const CACHE_SCRUB_PAUSE_SECONDS: u64 = 600;
/// Damaged NARs that the scrubber of a cache remembers by name.
pub const CACHE_SCRUB_DAMAGED_MAX: usize = 1_000;
/// Connections a cache keeps open at once.
pub const CACHE_CONNECTIONS_MAX: usize = 16_384;
/// Connections that wait to be taken up by a cache; the system may allow fewer (`somaxconn` of listen(2)).
pub const CACHE_WAITING_CONNECTIONS_MAX: u32 = 4_096;
/// NARs a cache takes in at once; each keeps a processor busy.
pub const CACHE_UPLOADS_MAX: usize = 32;
/// Bytes of a NAR read from disk at once; smaller pieces cost a third of the speed.
pub const CACHE_PIECE_BYTES: usize = 1 << 20;
/// A NAR's chunks, bytes: at least, about, and at most. At 64 KiB on average a tenth of the ratio is lost.
pub const CACHE_CHUNK_BYTES_MIN: usize = 128 << 10;
pub const CACHE_CHUNK_BYTES_AVERAGE: usize = 512 << 10;
pub const CACHE_CHUNK_BYTES_MAX: usize = 2 << 20;
/// A pack of chunks that has so many bytes is not appended to any more.
pub const CACHE_PACK_BYTES: u64 = 256 << 20;
/// A pack of several servers that has fewer bytes is small, and when there are more than so many, they are put together.
pub const CACHE_PACK_SMALL_BYTES: u64 = 4 << 20;
pub const CACHE_PACKS_SMALL_MAX: usize = 256;
/// What is sent to a bucket at once; larger NARs go in parts, of which there may be 10 000.
pub const CACHE_BUCKET_PART_BYTES: usize = 16 << 20;
/// What is read of a bucket at once.
pub const CACHE_BUCKET_PIECE_BYTES: u64 = 4 << 20;
/// One answer of a bucket, bytes.
pub const CACHE_BUCKET_ANSWER_BYTES_MAX: u64 = 64 << 20;
/// How long a bucket may take to connect, and to begin an answer, seconds.
pub const CACHE_BUCKET_SECONDS_MAX: u64 = 10;
/// Attempts at one request to a bucket, and how long after the first another may begin, seconds.
pub const CACHE_BUCKET_ATTEMPTS_MAX: usize = 4;
pub const CACHE_BUCKET_RETRY_SECONDS_MAX: u64 = 20;
/// Memory for what is known of NARs in chunks that were sent lately.
pub const CACHE_OPENED_BYTES_MAX: usize = 16 << 20;
/// How long it is believed that a pack is in a bucket after the store said so, and how its NARs are made. Well below
/// [`CACHE_BUCKET_LEAVING_SECONDS`].
pub const CACHE_BUCKET_BELIEVED_SECONDS: u64 = 300;
/// How often it is written down which paths were used.
pub const CACHE_USES_SECONDS: u64 = 60;
/// Packs that are remembered to be in a bucket.
pub const CACHE_BUCKET_BELIEVED_MAX: usize = 100_000;
/// Requests to a bucket that one answer makes at the same time.
pub const CACHE_BUCKET_REQUESTS_MAX: usize = 8;
/// Connections to a bucket that are kept open while nobody uses them.
pub const CACHE_BUCKET_IDLE_CONNECTIONS_MAX: usize = 64;
/// Bytes of a pack that nobody wants and that are read all the same, because one more request would cost more.
pub const CACHE_BUCKET_GAP_BYTES_MAX: u64 = 256 << 10;
/// How long what nobody needs any more stays in a bucket, seconds: an answer that some server began may take so long. What a
/// folder holds can be read by whoever has it open, however long that takes.
pub const CACHE_BUCKET_LEAVING_SECONDS: i64 = 3_600;
/// Pieces whose memory is kept for the next ones.
pub const CACHE_PIECES_KEPT_MAX: usize = 48;
/// Threads that wait for disks, clients and upstreams: every upload, question and fetch has one while it lasts, the rest read.
pub const CACHE_BLOCKING_THREADS_MAX: usize =
    CACHE_UPLOADS_MAX + CACHE_UPSTREAM_ALL_QUESTIONS_MAX + CACHE_UPSTREAM_FETCHES_MAX + 32;
/// Upstreams of one cache.
pub const CACHE_UPSTREAMS_MAX: usize = 16;
/// How long a miss may wait for all upstreams together, milliseconds; each may be given less.
pub const CACHE_UPSTREAM_BUDGET_MILLISECONDS_MAX: u64 = 2_000;
/// Public keys, patterns of names, and origins of redirects of one upstream, each.
pub const CACHE_UPSTREAM_RULES_MAX: usize = 64;
/// Narinfos asked of one upstream at once.
pub const CACHE_UPSTREAM_QUESTIONS_MAX: usize = 16;
/// Narinfos asked of all upstreams at once.
pub const CACHE_UPSTREAM_ALL_QUESTIONS_MAX: usize = 64;
/// NARs fetched from upstreams at once.
pub const CACHE_UPSTREAM_FETCHES_MAX: usize = 8;
/// How long one NAR may take from an upstream, seconds.
pub const CACHE_UPSTREAM_FETCH_SECONDS_MAX: u64 = 3_600;
/// Redirects that one request to an upstream follows, within its origin and those the administrator named.
pub const CACHE_UPSTREAM_REDIRECTS_MAX: u32 = 3;
/// Caches and proxies that a question may have come through before it is asked of upstreams.
pub const CACHE_UPSTREAM_HOPS_MAX: usize = 8;
/// Failures in a row after which an upstream is left alone for a while.
pub const CACHE_UPSTREAM_FAILURES_MAX: u32 = 3;
/// How long an upstream is left alone the first time, seconds; each time in a row twice as long.
pub const CACHE_UPSTREAM_REST_SECONDS: u64 = 30;
/// How long an upstream is left alone at most, seconds.
pub const CACHE_UPSTREAM_REST_SECONDS_MAX: u64 = 600;
/// How long it is remembered that no upstream has a path, seconds.
pub const CACHE_UPSTREAM_ABSENT_SECONDS: u64 = 300;
/// How long it is remembered that some upstream gave no answer, or none that can be used, about a path, seconds.
pub const CACHE_UPSTREAM_UNANSWERED_SECONDS: u64 = 10;
/// Paths that are remembered to be in no upstream.
pub const CACHE_UPSTREAM_ABSENT_MAX: usize = 100_000;
/// How long a narinfo that an upstream gave is served without asking again, seconds.
pub const CACHE_UPSTREAM_OFFER_SECONDS: u64 = 3_600;
/// Narinfos of upstreams in memory, bytes.
pub const CACHE_UPSTREAM_OFFERS_BYTES_MAX: usize = 32 << 20;
/// Paths that are pulled so that one path's closure is whole.
pub const CACHE_UPSTREAM_CLOSURE_PATHS_MAX: usize = 20_000;
/// Closures that are made whole at once.
pub const CACHE_UPSTREAM_CLOSURES_MAX: usize = 4;
/// Store paths named in one request to a cache's interface.
pub const CACHE_PATHS_MAX: usize = 200_000;
/// Chunks asked for in one request; a client that packs a NAR asks for 8 MiB of it.
pub const CACHE_CHUNKS_ASKED_MAX: usize = 10_000;
/// Rows of one answer of a cache's interface.
pub const CACHE_ROWS_MAX: u32 = 1_000;
/// Caches and views of one server.
pub const CACHE_SPACES_MAX: usize = 1_000;
/// A policy of a view, bytes.
pub const CACHE_POLICY_BYTES_MAX: usize = 1 << 20;
/// How long what nobody needs is kept in a cache, seconds, where nobody says otherwise.
pub const CACHE_GRACE_SECONDS: i64 = 14 * 86_400;
/// How old a view's verdict may be, seconds: also a feed that nobody replaces gets older.
pub const CACHE_VERDICT_SECONDS_MAX: i64 = 3_600;
/// Slower bodies of requests are given up, bytes a second, over as long as a client may stand still.
pub const CACHE_SPEED_BYTES_PER_SECOND_MIN: u64 = 1_024;
/// How often the feed's file is looked at, seconds.
pub const CACHE_FEED_SECONDS: u64 = 5;
/// How far a clock that goes back is not followed, seconds; beyond that it was wrong before.
pub const CACHE_CLOCK_BACK_SECONDS_MAX: i64 = 86_400;
/// Servers at once on one data folder.
pub const CACHE_SERVERS_MAX: usize = 64;
/// How long one statement, or one lock, of a database that several servers use is waited for, seconds.
pub const CACHE_DATABASE_SECONDS_MAX: u64 = 30;
/// How long after another server's act this one has seen it at the latest, while both reach the database, seconds.
pub const CACHE_CHANGE_SECONDS_MAX: u64 = 2;
/// A file with the authorities that are believed of a database, bytes.
pub const CACHE_AUTHORITIES_BYTES_MAX: u64 = 1 << 20;
/// Changes that the database remembers for servers that follow; who fell further behind reads everything anew.
pub const CACHE_CHANGES_KEPT: i64 = 100_000;
/// A narinfo, bytes; the one of a system with ten thousand references stays below.
pub const NARINFO_BYTES_MAX: usize = 1 << 20;
/// Signatures of one narinfo.
pub const NARINFO_SIGNATURES_MAX: usize = 64;
/// The URL of a NAR in a narinfo, bytes.
pub const NARINFO_URL_BYTES_MAX: usize = 1_024;
/// A `nix-cache-info`, bytes.
pub const CACHE_INFO_BYTES_MAX: usize = 16 << 10;
/// The name of a signing key, bytes.
pub const KEY_NAME_BYTES_MAX: usize = 255;
/// Folders within folders of one NAR.
pub const NAR_DEPTH_MAX: usize = 256;
/// The name of an entry of a NAR, bytes; as file systems have it.
pub const NAR_NAME_BYTES_MAX: usize = 255;
/// What a link in a NAR points to, bytes; as Linux has it.
pub const NAR_TARGET_BYTES_MAX: usize = 4_095;
/// Entries of one NAR.
pub const NAR_ENTRIES_MAX: u64 = 10_000_000;
/// What a cache server answers to one question, bytes.
pub const CACHE_ANSWER_BYTES_MAX: u64 = 256 << 20;
/// Paths that a push asks for at once.
pub const CACHE_MISSING_PATHS_MAX: usize = 10_000;
/// Attempts at sending one thing to a cache.
pub const CACHE_PUSH_ATTEMPTS_MAX: u32 = 4;
/// How old a vulnerability list of pkgsrc may be for an audit of an image, days.
pub const IMAGE_LIST_AGE_DAYS_MAX: i64 = 30;
/// Packages of one branch.
pub const IMAGE_SUMMARY_PACKAGES_MAX: usize = 200_000;
/// A vulnerability list or the summary of a branch, unpacked, bytes; the largest are below fifty million.
pub const IMAGE_LIST_BYTES_MAX: u64 = 512 << 20;
/// What is remembered of the lists seen, bytes, and how many of them.
pub const IMAGE_SEEN_BYTES_MAX: u64 = 1 << 20;
/// Revisions of a vulnerability list that are remembered.
pub const IMAGE_SEEN_MAX: usize = 500;
/// Lines of a makefile and what it includes.
pub const MAKE_LINES_MAX: usize = 200_000;
/// Files a makefile includes, however deep.
pub const MAKE_INCLUDES_MAX: usize = 256;
/// Text that one reference of a makefile expands to, with all that comes up on the way, bytes.
pub const MAKE_EXPANSION_BYTES_MAX: usize = 1 << 20;
/// Images of one catalog.
pub const IMAGE_CATALOG_IMAGES_MAX: usize = 10_000;
/// A catalog or a specification of images, bytes.
pub const IMAGE_CATALOG_BYTES_MAX: u64 = 16 << 20;
/// A file of a repository that is looked at for pins, bytes.
pub const IMAGE_PIN_FILE_BYTES_MAX: u64 = 4 << 20;
/// Packages one specification of an image names.
pub const IMAGE_ROOTS_MAX: usize = 2_000;
/// Packages of one image, with all they need.
pub const IMAGE_PACKAGES_MAX: usize = 20_000;
/// One binary package, packed, bytes.
pub const IMAGE_PACKAGE_BYTES_MAX: u64 = 2 << 30;
/// The layer of an image, or one package of it, unpacked, bytes; it is held in memory.
pub const IMAGE_LAYER_BYTES_MAX: u64 = 4 << 30;
/// Images above one another, from an image to the origin of its last origin.
pub const IMAGE_ORIGINS_MAX: usize = 32;
/// Bytes sent at once of a file that is published; what was taken is not sent again.
pub const IMAGE_CHUNK_BYTES: u64 = 16 << 20;
/// The smallest part that is sent at once, bytes.
pub const IMAGE_CHUNK_BYTES_MIN: u64 = 64 << 10;
/// An answer of a registry or of imgapi, bytes.
pub const IMAGE_ANSWER_BYTES_MAX: u64 = 4 << 20;
/// Attempts at one request of a publication that made no progress.
pub const IMAGE_PUBLISH_ATTEMPTS_MAX: u32 = 4;
/// From the beginning to the end of one request of a publication, seconds.
pub const IMAGE_PUBLISH_SECONDS_MAX: u64 = 6 * 3_600;
/// Days that are kept of one image's history.
pub const IMAGE_OBSERVATIONS_MAX: u32 = 4_000;
/// Begun uploads that are remembered.
pub const IMAGE_UPLOADS_MAX: usize = 100;
/// A slot file, bytes; one with a dozen slots stays below thirty thousand.
pub const SLOT_FILE_BYTES_MAX: u64 = 1 << 20;
/// Slots of one file, those inside thresholds included.
pub const SLOTS_MAX: usize = 64;
/// Thresholds within thresholds.
pub const SLOT_DEPTH_MAX: usize = 4;
/// The name of a slot, and that of a machine, bytes.
pub const SLOT_NAME_BYTES_MAX: usize = 64;
/// What one slot of a file wraps, as text, bytes.
pub const SLOT_TEXT_BYTES_MAX: usize = 64 << 10;
/// A JWE, bytes; that of clevis with a dozen tang servers stays below fifty thousand.
pub const JWE_BYTES_MAX: usize = 1 << 20;
/// Servers within one JWE of clevis, and thresholds within its thresholds.
pub const JWE_PINS_MAX: usize = 64;
/// What a tang server answers, bytes.
pub const TANG_ANSWER_BYTES_MAX: u64 = 64 << 10;
/// Keys of one tang advertisement.
pub const TANG_KEYS_MAX: usize = 64;
/// How long one tang server may take to answer, seconds.
pub const TANG_SECONDS_MAX: u64 = 5;
/// How long a TPM may take for one command, seconds; making a key takes slow ones some.
pub const TPM_SECONDS_MAX: u64 = 30;
/// A command to a TPM or its answer, bytes; the interface's own bound.
pub const TPM_MESSAGE_BYTES_MAX: usize = 4_096;
/// How long all slots together may take to open, seconds, a person's typing not included.
pub const UNLOCK_SECONDS_MAX: u64 = 60;
/// Memory that hashing a passphrase may be told to take, kibibytes.
pub const PASSPHRASE_MEMORY_KIB_MAX: u32 = 4 << 20;
/// Rounds that hashing a passphrase may be told to make.
pub const PASSPHRASE_PASSES_MAX: u32 = 64;
/// A passphrase, bytes.
pub const PASSPHRASE_BYTES_MAX: u64 = 4_096;
/// A document of signed policies for TPM slots, bytes.
pub const TPM_POLICIES_BYTES_MAX: u64 = 1 << 20;
/// Signed policies in one document.
pub const TPM_POLICIES_MAX: usize = 256;
/// The name of a secret, a machine, a group or an environment, bytes.
pub const SECRET_LABEL_BYTES_MAX: usize = 128;
/// The length of a derived secret: bytes, or characters of a password.
pub const SECRET_LENGTH_MAX: u32 = 65_536;
/// Secrets that can be guessed with less are refused unless they are called weak, bits.
pub const SECRET_ENTROPY_BITS_MIN: u32 = 80;
/// A declaration of secrets, bytes.
pub const SECRET_DECLARATION_BYTES_MAX: usize = 16 << 20;
/// A manifest of secrets, bytes; that of a thousand machines with fifty secrets each has ten million.
pub const SECRET_MANIFEST_BYTES_MAX: usize = 256 << 20;
/// Machines of one fleet's secrets.
pub const SECRET_MACHINES_MAX: usize = 20_000;
/// Recipients of one encrypted file.
pub const SECRET_RECIPIENTS_MAX: usize = 64;
/// A secret value that was not derived, bytes.
pub const SECRET_VALUE_BYTES_MAX: usize = 1 << 20;
/// A file of age that is opened in memory, bytes.
pub const SECRET_AGE_BYTES_MAX: usize = 2 << 20;
/// What an installed generation of secrets says of itself, bytes.
pub const SECRET_GENERATION_BYTES_MAX: usize = 16 << 20;
/// A file that names users or groups of this system, bytes.
pub const ACCOUNTS_BYTES_MAX: u64 = 16 << 20;
/// A reader of a credential that takes nothing for so long is given up, seconds.
pub const SECRET_CREDENTIAL_SECONDS_MAX: u64 = 5;
/// Restarting or reloading units takes no longer, seconds.
pub const SECRET_RESTART_SECONDS_MAX: u64 = 300;
/// Threads that compute the values of a fleet.
pub const SECRET_THREADS_MAX: usize = 16;
/// Bytes of a file of sops that is taken over.
pub const SOPS_FILE_BYTES_MAX: u64 = 16 << 20;
/// Values in a file of sops, and its keys below one another.
pub const SOPS_VALUES_MAX: usize = 10_000;
pub const SOPS_DEPTH_MAX: usize = 32;
/// Bytes of a unit of systemd that is compared with what it should be.
pub const SECRET_UNIT_BYTES_MAX: u64 = 1 << 20;
/// Bytes of one file that are searched for secrets that should not be there.
pub const SECRET_SCANNED_BYTES_MAX: u64 = 64 << 20;
