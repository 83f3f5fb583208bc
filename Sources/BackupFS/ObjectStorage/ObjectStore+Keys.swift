/// What a store is, where that makes a difference to people.
package enum StoreKind: Sendable, Equatable {
    /// A bucket on a server, with a clock, a region and checks of its own.
    ///
    /// `prefix` is what every whole key starts with: it is empty, or ends in a slash.
    case bucket(prefix: String)
    /// A place on this machine, where keys are whole.
    case local
}

extension StoreKind {
    /// What the store behind a URL is.
    package init(_ url: BackupURL) {
        switch url.place {
        case .bucket(_, let prefix): self = .bucket(prefix: prefix.isEmpty ? "" : prefix + "/")
        case .directory: self = .local
        }
    }
}

extension ObjectStore {
    /// An object's whole key, as other clients of the same bucket or directory name it.
    package func fullKey(_ key: String) -> String {
        switch kind {
        case .bucket(let prefix): prefix + key
        case .local: key
        }
    }

    /// How long a key may be, in bytes: what S3 allows, less the prefix that every key gets.
    package var longestKey: Int { 1024 - (fullKey("x").utf8.count - 1) }
}
