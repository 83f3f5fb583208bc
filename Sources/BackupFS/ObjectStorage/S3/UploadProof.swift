// Servers differ in what they check. What this one checks is tried once, with small objects below `.backupfs/check/` that
// say something wrong about themselves and are removed afterwards.

import Synchronization

/// What a server does about uploads that are not what they say.
struct UploadProof: Sendable, Equatable {
    /// It refuses a body that Content-MD5 does not fit.
    var refusesWrongMD5 = false
    /// Its ETag of an object is the MD5 of the bytes.
    var isETagMD5 = false
    /// It refuses a body that the signed x-amz-content-sha256 does not fit.
    var refusesWrongPayload = false
    /// It refuses a body that x-amz-checksum-sha256 does not fit.
    var refusesWrongChecksum = false

    /// Whether what every request carries is enough.
    var isEnforced: Bool { refusesWrongMD5 || refusesWrongPayload }

    /// Whether requests are to carry a checksum that they would not carry otherwise.
    var needsChecksum: Bool { !isEnforced && !isETagMD5 && refusesWrongChecksum }
}

extension UploadProof: CustomStringConvertible {
    /// One line for an operator.
    var description: String {
        let checks = [
            (refusesWrongMD5, "Content-MD5"), (isETagMD5, "the ETag"), (refusesWrongPayload, "the signed SHA-256"),
            (needsChecksum, "x-amz-checksum-sha256"),
        ].filter(\.0).map(\.1)
        return checks.isEmpty
            ? "uploads are read back, because the server checks none of the checksums sent with them"
            : "uploads are proven by \(checks.joined(separator: ", "))"
    }
}

/// What is known of a server's own checks.
final class Enforcement: Sendable {
    /// Guards what is known; held for no call.
    private let state: Mutex<UploadProof?>

    /// `known`: nil to find out.
    init(_ known: UploadProof? = nil) {
        state = Mutex(known)
    }

    var known: UploadProof? { state.withLock(\.self) }

    /// Keeps the first finding; true if this is it.
    func learn(_ proof: UploadProof) -> Bool {
        state.withLock { state in
            guard state == nil else { return false }
            state = proof
            return true
        }
    }
}

/// Something that once true stays true.
final class Flag: Sendable {
    private let value = Atomic(false)

    var isSet: Bool { value.load(ordering: .relaxed) }

    func set() { value.store(true, ordering: .relaxed) }
}
