//! Numbers of the TPM 2.0 library, part 2: algorithms, handles, attributes, and the commands that are used here.

pub(super) const ALG_RSA: u16 = 0x0001;
pub(super) const ALG_AES: u16 = 0x0006;
pub(super) const ALG_KEYEDHASH: u16 = 0x0008;
pub(super) const ALG_SHA256: u16 = 0x000B;
pub(super) const ALG_NULL: u16 = 0x0010;
pub(super) const ALG_RSASSA: u16 = 0x0014;
pub(super) const ALG_ECDSA: u16 = 0x0018;
pub(super) const ALG_ECC: u16 = 0x0023;
pub(super) const ALG_CFB: u16 = 0x0043;
pub(super) const CURVE_P256: u16 = 0x0003;

pub(super) const RH_OWNER: u32 = 0x4000_0001;
pub(super) const RH_NULL: u32 = 0x4000_0007;
/// A password in place of a session.
pub(super) const RS_PASSWORD: u32 = 0x4000_0009;
/// Where the TCG's provisioning guidance puts the storage root key, and systemd with it.
pub(super) const SRK_HANDLE: u32 = 0x8100_0001;

pub(super) const SESSION_HMAC: u8 = 0x00;
pub(super) const SESSION_POLICY: u8 = 0x01;
pub(super) const SESSION_TRIAL: u8 = 0x03;

/// Attributes of a session (`TPMA_SESSION`).
pub(super) const CONTINUE: u8 = 0x01;
/// The first parameter of the command is encrypted.
pub(super) const DECRYPT: u8 = 0x20;
/// The first parameter of the answer is encrypted.
pub(super) const ENCRYPT: u8 = 0x40;

/// Attributes of an object (`TPMA_OBJECT`).
pub(super) const FIXED_TPM: u32 = 1 << 1;
pub(super) const FIXED_PARENT: u32 = 1 << 4;
pub(super) const SENSITIVE_DATA_ORIGIN: u32 = 1 << 5;
pub(super) const USER_WITH_AUTH: u32 = 1 << 6;
pub(super) const ADMIN_WITH_POLICY: u32 = 1 << 7;
pub(super) const NO_DA: u32 = 1 << 10;
pub(super) const RESTRICTED: u32 = 1 << 16;
pub(super) const DECRYPTS: u32 = 1 << 17;
pub(super) const SIGNS: u32 = 1 << 18;

/// Attributes of a counter (`TPMA_NV`): the owner counts, everybody reads, and no lockout follows from a wrong password.
pub(super) const COUNTER_ATTRIBUTES: u32 = (1 << 1) | (1 << 4) | (1 << 17) | (1 << 18) | (1 << 25);
/// Set by the TPM once the counter has counted; it is part of the name that policies bind to.
pub(super) const COUNTER_WRITTEN: u32 = 1 << 29;
/// Unsigned, at most (`TPM_EO_UNSIGNED_LE`).
pub(super) const AT_MOST: u16 = 0x0009;

/// Command codes.
pub(super) const NV_DEFINE_SPACE: u32 = 0x0000_012A;
pub(super) const CREATE_PRIMARY: u32 = 0x0000_0131;
pub(super) const NV_INCREMENT: u32 = 0x0000_0134;
pub(super) const POLICY_NV: u32 = 0x0000_0149;
pub(super) const NV_READ: u32 = 0x0000_014E;
pub(super) const CREATE: u32 = 0x0000_0153;
pub(super) const ECDH_Z_GEN: u32 = 0x0000_0154;
pub(super) const LOAD: u32 = 0x0000_0157;
pub(super) const UNSEAL: u32 = 0x0000_015E;
pub(super) const FLUSH_CONTEXT: u32 = 0x0000_0165;
pub(super) const LOAD_EXTERNAL: u32 = 0x0000_0167;
pub(super) const NV_READ_PUBLIC: u32 = 0x0000_0169;
pub(super) const POLICY_AUTHORIZE: u32 = 0x0000_016A;
pub(super) const READ_PUBLIC: u32 = 0x0000_0173;
pub(super) const START_AUTH_SESSION: u32 = 0x0000_0176;
pub(super) const VERIFY_SIGNATURE: u32 = 0x0000_0177;
pub(super) const PCR_READ: u32 = 0x0000_017E;
pub(super) const POLICY_PCR: u32 = 0x0000_017F;
pub(super) const PCR_EXTEND: u32 = 0x0000_0182;
pub(super) const POLICY_GET_DIGEST: u32 = 0x0000_0189;
