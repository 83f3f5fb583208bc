// Why a store says no, as cases: whoever has to tell them apart compares no text.

/// Why a store does not let us in.
package enum Denial: Sendable, Equatable {
    /// The server said so with a code.
    case server(ServerCode)
    /// The server said so with this HTTP status, and no code.
    case status(Int)
    /// The system call of a directory store failed with this errno.
    case system(errno: Int32)
    /// There is nobody to sign for.
    case noCredentials
    /// The store belongs to another mount.
    case notOurs
}

extension Denial: CustomStringConvertible {
    /// A word to look up.
    package var description: String {
        switch self {
        case .server(let code): "\(code)"
        case .status(let status): "HTTP \(status)"
        case .system(let code): "errno \(code)"
        case .noCredentials: "NoCredentials"
        case .notOurs: "NotOurs"
        }
    }
}

/// Why a store does not do what it was asked, though it lets us in.
package enum Rejection: Sendable, Equatable {
    /// The server said so with a code.
    case server(ServerCode)
    /// The server said so with this HTTP status, and no code.
    case status(Int)
    /// The system call of a directory store failed with this errno.
    case system(errno: Int32)
    /// The server's TLS is not to be trusted, or there is none.
    case untrusted
    /// The server does not speak HTTP.
    case noHTTP
    /// There is another content under the key.
    case objectExists
    /// The store cannot hold the key.
    case invalidKey
    /// The store cannot hold the metadata.
    case invalidMetadata
    /// The store takes no objects of so many bytes.
    case entityTooLarge
    /// The server listed a key that was not asked for.
    case foreignKey
    /// The server's listing does not go on.
    case endlessListing
    /// The server's answer does not end.
    case answerTooLong
}

extension Rejection: CustomStringConvertible {
    /// A word to look up.
    package var description: String {
        switch self {
        case .server(let code): "\(code)"
        case .status(let status): "HTTP \(status)"
        case .system(let code): "errno \(code)"
        case .untrusted: "TLS"
        case .noHTTP: "NoHTTP"
        case .objectExists: "ObjectExists"
        case .invalidKey: "InvalidKey"
        case .invalidMetadata: "InvalidMetadata"
        case .entityTooLarge: "EntityTooLarge"
        case .foreignKey: "ForeignKey"
        case .endlessListing: "EndlessListing"
        case .answerTooLong: "AnswerTooLong"
        }
    }
}
