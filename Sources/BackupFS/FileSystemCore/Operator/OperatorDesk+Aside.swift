// What operators see of what was set aside, and how they get it back.

import Catalogue
import FoundationEssentials

extension OperatorDesk {
    /// Rows that are read and sent at a time.
    private static let asidePage = 256

    func setAside(_ receive: @Sendable ([AsideReport]) async throws -> Void) async throws {
        var last: Int64 = 0
        while true {
            let page = try await catalogue.ask(.setAside(after: last, limit: Self.asidePage))
            guard let end = page.last else { return }
            try await receive(page.map(AsideReport.init))
            last = end.id
        }
    }

    func restoreAside(_ id: Int64) async throws -> AsideReport {
        guard let entry = try await catalogue.ask(.setAside(id)) else {
            throw Self.noSuchAside(id)
        }
        do throws(FileSystemError) {
            var report = AsideReport(entry)
            report.key = displayPath(try aside.bringBack(id))
            return report
        } catch .catalogue(.nameTaken) {
            throw OperatorError(
                message: "\(displayPath(entry.path.last ?? [])): the name is taken, and the other one, too")
        } catch {
            throw OperatorError(message: "\(error)")
        }
    }

    func discardAside(_ id: Int64) async throws {
        do throws(FileSystemError) {
            try aside.discard(id)
        } catch .catalogue(.noSuchResource) {
            throw Self.noSuchAside(id)
        } catch {
            throw OperatorError(message: "\(error)")
        }
    }

    private static func noSuchAside(_ id: Int64) -> OperatorError {
        OperatorError(message: "nothing with the number \(id) is set aside: see \"backupfs aside\"")
    }
}

extension AsideReport {
    fileprivate init(_ entry: AsideEntry) {
        self.init(
            id: entry.id, key: displayPath(entry.path),
            reason: entry.reason.text, since: Date(timeIntervalSince1970: Double(entry.since) / 1e9))
    }
}

extension AsideEntry.Reason {
    /// The reason in words.
    fileprivate var text: String {
        switch self {
        case .unknown: "not known to the catalogue, and in the way of a file"
        case .damaged: "not what was backed up"
        case .unacknowledged: "never acknowledged by a close, and maybe torn by a power cut"
        case .notWritten: "main failed to write all of it"
        }
    }
}
