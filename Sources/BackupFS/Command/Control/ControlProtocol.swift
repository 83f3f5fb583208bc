// What is said over the control socket: the client sends one request, one line of JSON; the daemon answers with lines of
// JSON, the last of them `{"done":{}}` or `{"error":"..."}`; then it closes. No line is longer than `lineLimit`. Rows of
// lists come one a line, so a list may be of any length. The version in the request is there for a later protocol.

import FileSystemCore
import FoundationEssentials

/// What both sides agree on.
enum ControlProtocol {
    /// The version of the protocol.
    static let version = 1
    /// The longest line in bytes, its line feed included.
    static let lineLimit = 64 * 1024
    /// The socket's name in the state directory.
    static let socketName = "control.sock"
    /// The extended attribute of every file in a mount that says where the socket is.
    static let attributeName = "user.backupfs.control"
    /// The directory in the main directory that holds the catalogue, the socket and the log.
    static let stateDirectoryName = ".backupfs"
    /// The file that shows that a directory is a main directory.
    static let catalogueName = "catalogue.sqlite"
}

/// What a client may ask.
enum ControlRequest: Sendable, Equatable {
    /// How the file system is doing.
    case status
    /// The row of one file; the path is relative to the root.
    case info(path: [UInt8])
    /// The rows whose storages do not match.
    case leftovers
    /// Finish what they need.
    case clean(dryRun: Bool)
    /// Compare the bucket with the catalogue.
    case objects
    /// What was set aside.
    case aside
    /// Bring one of them back.
    case restoreAside(id: Int64)
    /// Remove one of them for good.
    case discardAside(id: Int64)
    /// Wait until the backup storage holds everything.
    case sync
    /// What the journal in the backup can be restored to; `isNew`: after a snapshot of now.
    case snapshots(isNew: Bool)
}

extension ControlRequest: Codable {
    private enum CodingKeys: String, CodingKey {
        case version
        case request
        case path
        case dryRun
        case id
        case isNew
    }

    private enum Name: String, Codable {
        case status
        case info
        case leftovers
        case clean
        case objects
        case aside
        case restoreAside
        case discardAside
        case sync
        case snapshots
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        guard try container.decode(Int.self, forKey: .version) == ControlProtocol.version else {
            throw DecodingError.dataCorruptedError(forKey: .version, in: container, debugDescription: "version")
        }
        switch try container.decode(Name.self, forKey: .request) {
        case .status: self = .status
        case .info: self = .info(path: [UInt8](try container.decode(Data.self, forKey: .path)))
        case .leftovers: self = .leftovers
        case .clean: self = .clean(dryRun: try container.decode(Bool.self, forKey: .dryRun))
        case .objects: self = .objects
        case .aside: self = .aside
        case .restoreAside: self = .restoreAside(id: try container.decode(Int64.self, forKey: .id))
        case .discardAside: self = .discardAside(id: try container.decode(Int64.self, forKey: .id))
        case .sync: self = .sync
        case .snapshots: self = .snapshots(isNew: try container.decode(Bool.self, forKey: .isNew))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(ControlProtocol.version, forKey: .version)
        switch self {
        case .status: try container.encode(Name.status, forKey: .request)
        case .info(let path):
            try container.encode(Name.info, forKey: .request)
            try container.encode(Data(path), forKey: .path)
        case .leftovers: try container.encode(Name.leftovers, forKey: .request)
        case .clean(let dryRun):
            try container.encode(Name.clean, forKey: .request)
            try container.encode(dryRun, forKey: .dryRun)
        case .objects: try container.encode(Name.objects, forKey: .request)
        case .aside: try container.encode(Name.aside, forKey: .request)
        case .restoreAside(let id):
            try container.encode(Name.restoreAside, forKey: .request)
            try container.encode(id, forKey: .id)
        case .discardAside(let id):
            try container.encode(Name.discardAside, forKey: .request)
            try container.encode(id, forKey: .id)
        case .sync: try container.encode(Name.sync, forKey: .request)
        case .snapshots(let isNew):
            try container.encode(Name.snapshots, forKey: .request)
            try container.encode(isNew, forKey: .isNew)
        }
    }
}

/// One line of an answer: an object with one key that names its kind.
enum ControlAnswer: Sendable, Equatable {
    /// The answer to `status`.
    case status(StatusReport)
    /// The answer to `info`.
    case info(ResourceReport)
    /// One row of the answer to `leftovers`.
    case leftover(LeftoverReport)
    /// One row of the answer to `aside`, or what was brought back.
    case aside(AsideReport)
    /// One step of what `clean` would do.
    case step(CleanReport.Step)
    /// The figures of `clean`; its plan came in `step` lines.
    case cleaned(CleanReport)
    /// An object that is not as the catalogue says.
    case finding(ObjectReport.Finding)
    /// The figures of `objects`; what was found came in `finding` lines.
    case objects(ObjectReport)
    /// What a `sync` still waits for.
    case progress(SyncProgress)
    /// One moment that can be restored.
    case snapshot(SnapshotReport)
    /// The last line of a request that was done.
    case done
    /// The last line of a request that was not: one plain line.
    case error(String)
}

extension ControlAnswer: Codable {
    private enum CodingKeys: String, CodingKey {
        case status
        case info
        case leftover
        case aside
        case step
        case cleaned
        case finding
        case objects
        case progress
        case snapshot
        case done
        case error
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        guard let key = container.allKeys.first, container.allKeys.count == 1 else {
            throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "not one known key"))
        }
        switch key {
        case .status: self = .status(try container.decode(StatusReport.self, forKey: key))
        case .info: self = .info(try container.decode(ResourceReport.self, forKey: key))
        case .leftover: self = .leftover(try container.decode(LeftoverReport.self, forKey: key))
        case .aside: self = .aside(try container.decode(AsideReport.self, forKey: key))
        case .step: self = .step(try container.decode(CleanReport.Step.self, forKey: key))
        case .cleaned: self = .cleaned(try container.decode(CleanReport.self, forKey: key))
        case .finding: self = .finding(try container.decode(ObjectReport.Finding.self, forKey: key))
        case .objects: self = .objects(try container.decode(ObjectReport.self, forKey: key))
        case .progress: self = .progress(try container.decode(SyncProgress.self, forKey: key))
        case .snapshot: self = .snapshot(try container.decode(SnapshotReport.self, forKey: key))
        case .done: self = .done
        case .error: self = .error(try container.decode(String.self, forKey: key))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .status(let report): try container.encode(report, forKey: .status)
        case .info(let report): try container.encode(report, forKey: .info)
        case .leftover(let report): try container.encode(report, forKey: .leftover)
        case .aside(let report): try container.encode(report, forKey: .aside)
        case .step(let step): try container.encode(step, forKey: .step)
        case .cleaned(let report): try container.encode(report, forKey: .cleaned)
        case .finding(let finding): try container.encode(finding, forKey: .finding)
        case .objects(let report): try container.encode(report, forKey: .objects)
        case .progress(let progress): try container.encode(progress, forKey: .progress)
        case .snapshot(let report): try container.encode(report, forKey: .snapshot)
        case .done: try container.encode([String: String](), forKey: .done)
        case .error(let line): try container.encode(line, forKey: .error)
        }
    }
}
