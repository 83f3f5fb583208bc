// The claims of a backup, one object each (docs/DURABILITY.md, One owner at a time).

import Catalogue
import Foundation
import Glibc
import Linux
import ObjectStorage

/// Who has claimed a backup, and when.
struct Claimant: Sendable, Equatable {
    /// The machine's name; empty if that is not known.
    var host: String
    /// When it did, by its own clock, as text; empty if that is not known.
    var time: String
}

/// The epochs that a store has.
struct EpochList: Sendable {
    private static let prefix = ".backupfs/epoch/"
    /// Bytes of the longest claim that is read.
    private static let longestClaim = 4096

    let store: any ObjectStore

    init(_ store: any ObjectStore) { self.store = store }

    private struct Body: Codable {
        var catalogue: String
        var host: String
        var time: String
    }

    static func key(_ epoch: Epoch) -> String { prefix + zeroPadded(epoch.number, 12) + "~\(epoch.id)" }

    static func epoch(_ key: String) -> Epoch? {
        guard key.hasPrefix(prefix) else { return nil }
        return Epoch(key.dropFirst(prefix.utf8.count))
    }

    /// All of them, the oldest first.
    func all(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> [Epoch] {
        var found: [Epoch] = []
        var last: String?
        while true {
            let page = try await store.list(prefix: Self.prefix, after: last, deadline: deadline)
            found += page.compactMap { Self.epoch($0.key) }
            guard page.count == 1000 else { return found.sorted() }
            last = page.last?.key
        }
    }

    /// Adds one.
    func add(_ epoch: Epoch, catalogue: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) {
        let body = Body(
            catalogue: catalogue, host: hostName(), time: Date().formatted(.iso8601.dateSeparator(.dash)))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let bytes = (try? encoder.encode(body)).map { [UInt8]($0) } ?? []
        try await store.put(
            Self.key(epoch), .bytes(bytes), ObjectAttributes(contentType: "application/json"), deadline: deadline)
    }

    /// Who made a claim.
    func claimant(_ epoch: Epoch, deadline: ContinuousClock.Instant) async -> Claimant {
        let text = try? await store.readSmall(Self.key(epoch), limit: Self.longestClaim, deadline: deadline)
        let body = text.flatMap { $0 }.flatMap { try? JSONDecoder().decode(Body.self, from: Data($0)) }
        return Claimant(host: body?.host ?? "", time: body?.time ?? "")
    }

    /// Removes those before `epoch`: whoever has one of them sees the later one all the same.
    func removeOlder(_ epochs: [Epoch], than epoch: Epoch, deadline: ContinuousClock.Instant) async {
        let old = epochs.filter { $0 < epoch }.map(Self.key)
        if !old.isEmpty { _ = try? await store.delete(old, deadline: deadline) }
    }

    private func hostName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// A number with zeros before it, so that texts sort as numbers do.
func zeroPadded(_ number: Int64, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
