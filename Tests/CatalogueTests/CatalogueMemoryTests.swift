// What is kept in memory is what the database says, whatever changes and whoever reads meanwhile.

import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Catalogue

@Suite("What the catalogue keeps in memory")
struct CatalogueMemoryTests {
    private let list = XattrName("user.list")

    /// Compares what memory or the database answers with what the database says, for all resources and some names.
    private func compare(_ catalogue: SQLiteCatalogue, _ dentries: [Dentry], _ step: String) throws {
        for number in 1...Int64(40) {
            let id = ResourceID(number)
            let known = (
                try catalogue.resource(id), try catalogue.location(of: id), try catalogue.path(of: id),
                try catalogue.xattr(id, list), try catalogue.resourceAndPath(id)
            )
            let (row, location, path, value) = try catalogue.read { reader throws(CatalogueError) in
                (
                    try reader.resource(id), try reader.location(of: id), try reader.path(of: id),
                    try reader.xattr(id, list)
                )
            }
            try #require(known.0 == row && known.1 == location, "\(step), \(number)")
            try #require(known.2 == path && known.3 == value, "\(step), \(number)")
            try #require(known.4.row == row && known.4.path == path, "\(step), \(number)")
        }
        for dentry in dentries {
            let known = try catalogue.lookup(dentry)
            let row = try catalogue.read { reader throws(CatalogueError) in try reader.lookup(dentry) }
            try #require(known == row, "\(step), \(dentry)")
        }
    }

    /// Makes one random change; what is refused changes nothing.
    private func change(
        _ catalogue: SQLiteCatalogue, _ dentries: [Dentry], _ random: inout SeededGenerator
    ) throws -> String {
        let (one, other) = (dentries.randomElement(using: &random), dentries.randomElement(using: &random))
        guard let one, let other else { return "nothing" }
        let id = ResourceID(Int64.random(in: 1...40, using: &random))
        let kind = [Resource.Kind.file, .directory, .symlink].randomElement(using: &random) ?? .file
        let attributes = NewAttributes(mode: 0o644, uid: 1, gid: 2, target: kind == .symlink ? [1] : nil)
        let now = Int64.random(in: 1...1000, using: &random)
        let turn = Int.random(in: 0..<12, using: &random)
        do throws(CatalogueError) {
            switch turn {
            case 0...2: _ = try catalogue.change(.processCrash, .create(kind, one, attributes, lists: [], now: now))
            case 3: _ = try catalogue.change(.processCrash, .delete(one, directory: false, now: now))
            case 4: _ = try catalogue.change(.processCrash, .delete(one, directory: true, now: now))
            case 5, 6:
                _ = try catalogue.change(
                    .processCrash, .rename(from: one, to: other, noReplace: false, sourceInode: 0, now: now))
            case 7: _ = try catalogue.change(.processCrash, .link(id, one, now: now))
            case 8: _ = try catalogue.change(.processCrash, .exchange(one, other, sourceInode: 0, now: now))
            case 9:
                _ = try catalogue.change(.processCrash, .setXattr(id, list, [UInt8(now % 250)], mode: .any, now: now))
            case 10: _ = try catalogue.change(.processCrash, .removeXattr(id, list, now: now))
            default: try catalogue.change(.processCrash, .markInMain(id, inode: UInt64(now)))
            }
        } catch {
            return "\(turn) refused"
        }
        return "\(turn) \(one) \(other) \(id)"
    }

    @Test("After each of hundreds of random changes memory and database say the same", arguments: [1, 2])
    func changes(seed: UInt64) throws {
        let temporary = try TemporaryCatalogue()
        try withExtendedLifetime(temporary) {
            let catalogue = temporary.catalogue
            var random = SeededGenerator(seed: seed)
            let dentries = (1...8).flatMap { parent in
                (0..<6).map { Dentry(ResourceID(parent), [UInt8(ascii: "a") + UInt8($0)]) }
            }
            for step in 1...150 {
                let what = try change(catalogue, dentries, &random)
                try compare(catalogue, dentries, "step \(step): \(what)")
            }
        }
    }

    @Test("A question that memory knows is none to the database; a change asks once more")
    func questions() throws {
        let temporary = try TemporaryCatalogue()
        try withExtendedLifetime(temporary) {
            let catalogue = temporary.catalogue
            let attributes = NewAttributes(mode: 0o644, uid: 1, gid: 2)
            let dentry = Dentry(.root, [97])
            let id = try catalogue.change(.processCrash, .create(.file, dentry, attributes, lists: [], now: 5)).id
            func ask() throws {
                _ = try catalogue.lookup(dentry)
                _ = try catalogue.resourceAndPath(id)
                _ = try catalogue.xattr(id, list)
                _ = try catalogue.location(of: id)
            }
            try ask()
            let before = catalogue.reads.begun
            for _ in 1...10 { try ask() }
            #expect(catalogue.reads.begun == before)
            try catalogue.change(.processCrash, .markInMain(id, inode: 7))
            #expect(try catalogue.row(id).mainInode == 7)
            #expect(catalogue.reads.begun == before + 1)
        }
    }

    @Test("Who reads while a change is committed leaves nothing behind that is older than it")
    func readersAndWriter() throws {
        let temporary = try TemporaryCatalogue()
        try withExtendedLifetime(temporary) {
            let catalogue = temporary.catalogue
            let attributes = NewAttributes(mode: 0o644, uid: 1, gid: 2)
            let id = try catalogue.change(
                .processCrash, .create(.file, Dentry(.root, [97]), attributes, lists: [], now: 5)
            ).id
            let isDone = Atomic(false)
            let readers = (1...3).map { _ in
                let ended = DispatchSemaphore(value: 0)
                Thread.detachNewThread {
                    while !isDone.load(ordering: .relaxed) { _ = try? catalogue.row(id) }
                    ended.signal()
                }
                return ended
            }
            for inode in 1...UInt64(400) {
                try catalogue.change(.processCrash, .markInMain(id, inode: inode))
                let seen = try catalogue.row(id).mainInode
                guard seen == inode else {
                    Issue.record("\(seen) instead of \(inode)")
                    break
                }
            }
            isDone.store(true, ordering: .relaxed)
            for reader in readers { reader.wait() }
        }
    }

    @Test("It holds no more than it may, and what was asked for last")
    func bounded() throws {
        let memory = CatalogueMemory(capacity: 10)
        for number in 2...Int64(1000) {
            memory.keep(
                Dentry(.root, Array("\(number)".utf8)), of: ResourceID(number), cookie: number, isFirst: true, at: 0)
            _ = memory.location(of: ResourceID(2))
        }
        let known = (2...Int64(1000)).filter { memory.location(of: ResourceID($0)) != nil }
        #expect(known.count <= 22)
        #expect(known.contains(2) && known.contains(1000) && !known.contains(500))
    }
}
