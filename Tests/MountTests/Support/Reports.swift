import Foundation

// The JSON of the commands as a script sees it, written down a second time on purpose: it is what users rely on.

struct Stored: Decodable, Equatable {
    var main: Bool
    var backup: Bool
}

/// `backupfs info --json`.
struct Info: Decodable {
    var key: String
    var status: String
    var createdAt: String
    var deletedAt: String?
    var stored: Stored
    var size: Int
    var version: Int
    var sha256: String?
    var backupKey: String?
    var lastError: String?
}

/// `backupfs status --json`.
struct Status: Decodable {
    struct Backup: Decodable {
        var url: String
        var reachable: Bool
        var lastError: String?
        var takenOver: String?
    }
    struct Resources: Decodable {
        var creating: Int
        var created: Int
        var deleted: Int
    }
    struct Pending: Decodable {
        var uploads: Int
        var removals: Int
        var journal: Int
    }
    struct Recoveries: Decodable {
        var done: Int
        var failed: Int
    }
    struct Failures: Decodable {
        var uploads: Int
        var removals: Int
        var setAside: Int
        var catalogue: Int
        var journal: Int
    }
    struct Adoption: Decodable {
        var files: Int
        var backedUp: Int
    }
    struct Passthrough: Decodable, Equatable {
        var state: String
        var reason: String?
        var files: Int
    }
    var main: String
    var mountpoint: String?
    var backup: Backup
    var resources: Resources
    var pending: Pending
    var leftovers: Int
    var aside: Int
    var recoveries: Recoveries
    var failures: Failures
    var adoption: Adoption
    var passthrough: Passthrough
}

/// An element of `backupfs leftovers --json`.
struct Leftover: Decodable {
    var key: String
    var reason: String
    var stored: Stored
    var since: String
    var lastError: String?
}

/// A line of the S3 proxy's log.
struct LoggedRequest: Decodable {
    var method: String
    var path: String
    var query: String
    var status: Int
    var mode: String
}
