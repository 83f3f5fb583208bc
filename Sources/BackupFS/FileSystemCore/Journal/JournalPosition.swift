// Where the journal is: the keys of its segments, and whether backup storage has more of them than this catalogue.

import Catalogue
import ObjectStorage

/// How far this catalogue has come with its journal.
struct JournalPosition: Sendable {
    private static let prefix = ".backupfs/journal/"

    let catalogue: CatalogueClient
    let store: any ObjectStore

    /// What the keys of all attempts at a segment begin with.
    static func segmentPrefix(_ number: Int) -> String {
        let digits = String(number)
        return prefix + String(repeating: "0", count: max(0, 20 - digits.count)) + digits
    }

    /// Whether backup storage has segments that this catalogue has never begun to send.
    func isBehind(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> Bool {
        let begun: Int
        do throws(FileSystemError) {
            begun =
                try [Setting.journal, Setting.journalBegun].map { key throws(FileSystemError) in
                    try catalogue.setting(key).flatMap { Int($0) } ?? 0
                }.max() ?? 0
        } catch {
            throw .unreachable(reason: "\(error)")
        }
        // Behind every attempt at the last segment: `~` comes after all that an id has.
        let newer = try await store.list(
            prefix: Self.prefix, after: Self.segmentPrefix(begun) + "~~", deadline: deadline)
        return !newer.isEmpty
    }
}
