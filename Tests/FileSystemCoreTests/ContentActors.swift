// Those who work on one file at the same time, step by step, as the core does it. Between two steps everybody else may
// come. Each step calls the events of `Content` that the core calls there.

import Catalogue

@testable import FileSystemCore

/// Somebody who works on the file.
enum ContentActor {
    /// Writes, and closes.
    case writer(TestBytes.Writes)
    /// Empties the file, and closes.
    case truncation
    /// Backs it up, several times if need be; its request may fail.
    case upload
    /// Brings a missing main copy back.
    case recovery
    /// Compares an unverified main copy with the checksum.
    case verification
    /// Opens the file for reading.
    case opening
    /// Deletes the file.
    case unlink

    /// The worlds that one step more may lead to; none if the actor is done, or waits for another one.
    func next(_ world: ContentWorld, _ me: Int) throws -> [ContentWorld] {
        guard !world.hands[me].isDone else { return [] }
        var after = world
        switch self {
        case .writer(let write): return try Self.write(&after, me, write) ? [after] : []
        case .truncation: return try Self.empty(after, me)
        case .upload: return Self.upload(after, me)
        case .recovery: Self.recover(&after, me)
        case .verification: try Self.verify(&after, me)
        case .opening: Self.open(&after, me)
        case .unlink:
            after.isDeleted = true
            after.named = nil
            after.hands[me].isDone = true
        }
        return [after]
    }

    /// False if it waits: for the copy to be fetched, or compared.
    private static func write(_ world: inout ContentWorld, _ me: Int, _ write: TestBytes.Writes) throws -> Bool {
        switch world.hands[me].step {
        case 0:
            guard world.content.isReadyForChange else {
                // Nobody is left who would make it ready: the program gets an error.
                guard world.hands.enumerated().allSatisfy({ $0 == me || $1.isDone || $1.step == 0 }) else {
                    return false
                }
                world.hands[me].isDone = true
                return true
            }
            world.hands[me].copy = world.open
            begin(&world, me)
        case 3:
            guard world.holder == nil else { return false }
            world.holder = me
            if let copy = world.hands[me].copy { world.bytes[copy].first.insert(write) }
            world.hands[me].step = 4
        case 4:
            if let copy = world.hands[me].copy { world.bytes[copy].second.insert(write) }
            world.holder = nil
            world.hands[me].step = 5
        default: try markAndClose(&world, me, write)
        }
        return true
    }

    /// Opens the file for writing, and announces a change.
    private static func begin(_ world: inout ContentWorld, _ me: Int) {
        world.content.writerCame()
        world.hands[me].isOpen = true
        world.hands[me].step = world.content.writeBegins() ? 1 : 3
    }

    /// The steps that all who change the file have in common: 1 and 2 mark the row before, 5 ends, 6 closes.
    private static func markAndClose(_ world: inout ContentWorld, _ me: Int, _ write: TestBytes.Writes) throws {
        switch world.hands[me].step {
        case 1:
            if !world.isDeleted { world.isMarked = true }
            world.hands[me].step += 1
        case 2:
            world.content.marked()
            world.hands[me].step += 1
        case 5:
            world.content.writeEnded()
            world.hands[me].step = 6
        default:
            if !world.hands[me].hasFailed { world.closes.insert(.init(stamp: world.content.stamp, write: write)) }
            world.content.writerWent()
            world.hands[me].isOpen = false
            world.hands[me].isDone = true
            let isLeft = world.content.needsUpload && !world.hands.contains(where: \.isOpen)
            if world.content.isForBackground != isLeft {
                throw BrokenPromise(
                    description: isLeft ? "I2: nobody is left who tries again" : "the background does a writer's work")
            }
        }
    }

    private static func empty(_ world: ContentWorld, _ me: Int) throws -> [ContentWorld] {
        var after = world
        switch world.hands[me].step {
        case 0:
            after.isEmptying = true
            if let copy = world.content.trustedCopy, world.bytes[copy.inode].isEmptied {
                // It is empty: its close has to answer for nothing.
                after.closes.insert(.init(stamp: world.content.stamp, write: .emptying))
                after.hands[me].isDone = true
                break
            }
            after.hands[me].flag = world.open == nil
            begin(&after, me)
        case 3:
            after.hands[me].step = 4
            guard world.hands[me].flag, world.open == nil else { break }
            // Main may have no room for another file.
            var failed = after
            failed.hands[me].hasFailed = true
            failed.hands[me].step = 5
            place(&after, 2, TestBytes(.emptying))
            return [after, failed]
        case 4:
            guard world.holder == nil else { return [] }
            after.hands[me].step = 5
            if let open = world.open {
                after.bytes[open] = TestBytes(.emptying)
                after.content.emptied()
            } else {
                after.hands[me].hasFailed = true
            }
        default: try markAndClose(&after, me, .emptying)
        }
        return [after]
    }

    /// 0 reads the row, 1 takes it in, 2 offers the copy that main has, 3 looks at the copy that is open.
    private static func open(_ world: inout ContentWorld, _ me: Int) {
        let mine = world.hands[me]
        world.hands[me].step += 1
        switch mine.step {
        case 0:
            world.hands[me].flag = world.isMarked
            world.hands[me].hasFailed = world.version == nil
            world.hands[me].bytes = world.version ?? TestBytes()
        case 1:
            world.content.load(isAhead: mine.flag, isMarked: mine.flag, isInBackup: !mine.hasFailed)
            if let unchanged = world.content.unchangedCopy {
                world.hands[me].copy = unchanged.copy.inode
                world.hands[me].step = 3
            } else {
                world.hands[me].copy = world.open == nil ? world.named : nil
                world.hands[me].isDone = world.hands[me].copy == nil
            }
        case 2:
            if let copy = mine.copy { world.content.offer(ContentWorld.reopened[copy], .verified) }
            world.hands[me].isDone = true
        default:
            if let copy = mine.copy, world.bytes[copy] != mine.bytes { world.content.copyDoubted() }
            world.hands[me].isDone = true
        }
    }

    /// Gives a new copy the file's name, under the directory's lock.
    private static func place(_ world: inout ContentWorld, _ copy: Int, _ bytes: TestBytes) {
        world.bytes[copy] = bytes
        if !world.isDeleted { world.named = copy }
        world.content.offer(ContentWorld.copies[copy], .compared)
    }

    private static func upload(_ world: ContentWorld, _ me: Int) -> [ContentWorld] {
        var after = world
        let mine = world.hands[me]
        switch mine.step {
        case 0:
            guard world.content.needsUpload, mine.attempts < 2 else {
                after.hands[me].isDone = true
                break
            }
            after.hands[me].stamp = world.content.stamp
            after.hands[me].seen = world.content.stamp
            after.hands[me].flag = world.content.isQuiet
            after.hands[me].copy = world.open ?? world.named
            after.hands[me].attempts += 1
            after.hands[me].step = after.hands[me].copy == nil ? 9 : 1
            // The last attempt takes a private copy, with writes held off but for those that have begun and not touched it.
            if mine.attempts == 1, let copy = after.hands[me].copy {
                guard world.holder == nil else { return [] }
                after.hands[me].bytes = world.bytes[copy]
                after.hands[me].step = 4
            }
        case 1, 2:
            guard let copy = mine.copy else { return [] }
            if mine.step == 1 { after.hands[me].bytes.first = world.bytes[copy].first }
            if mine.step == 2 { after.hands[me].bytes.second = world.bytes[copy].second }
            after.hands[me].step += 1
        case 3:
            var failed = world
            failed.hands[me].isDone = true
            after.hands[me].step = mine.flag && world.content.stamp == mine.stamp ? 4 : 0
            return [after, failed]
        case 4:
            let isStillChanging = after.content.uploadCommitting(mine.stamp)
            if !world.isDeleted {
                after.version = mine.bytes
                after.isMarked = isStillChanging
            }
            after.hands[me].step = 5
        case 5:
            after.content.uploadCommitted(mine.stamp, .init(inode: 1, size: 1, modified: 1))
            after.hands[me].step = 0
        default: giveUpLostChange(&after, me)
        }
        return [after]
    }

    /// Main has lost what was to be backed up.
    ///
    /// An upload that finds no copy notes in 9 what is lost, 10 asks in the transaction, 11 takes it in. An upload covers at
    /// last what it has seen in the beginning.
    private static func giveUpLostChange(_ world: inout ContentWorld, _ me: Int) {
        let mine = world.hands[me]
        if mine.step == 9 {
            if case .missing(let missing) = world.content.presence { world.hands[me].missing = missing }
            world.hands[me].step = world.open == nil ? 10 : 0
        } else if mine.step == 10 {
            guard world.version != nil, let missing = mine.missing, world.content.changeLosing(missing) else {
                world.content.uploadNotNeeded(mine.seen)
                world.hands[me].isDone = true
                return
            }
            world.isMarked = false
            world.hands[me].step = 11
        } else {
            if let missing = mine.missing { world.content.changeLost(missing) }
            world.content.uploadNotNeeded(mine.seen)
            world.hands[me].isDone = true
        }
    }

    private static func recover(_ world: inout ContentWorld, _ me: Int) {
        switch world.hands[me].step {
        case 0:
            guard case .missing(let missing) = world.content.presence, let version = world.version, !world.isDeleted
            else {
                world.hands[me].isDone = true
                return
            }
            world.hands[me].missing = missing
            world.hands[me].bytes = version
            world.hands[me].flag = world.isMarked
            world.hands[me].step = 1
        case 1:
            if world.open == nil { place(&world, 1, world.hands[me].bytes) }
            world.hands[me].step = 10
            if !world.hands[me].flag { world.hands[me].isDone = true }
        default: giveUpLostChange(&world, me)
        }
    }

    /// Another one may have changed the file between 0, which asks whether it is needed, and 1, which begins.
    private static func verify(_ world: inout ContentWorld, _ me: Int) throws {
        let mine = world.hands[me]
        world.hands[me].step += 1
        switch mine.step {
        case 0:
            world.hands[me].isDone = world.content.needsNoVerification && !world.content.mustCompare
        case 1:
            world.hands[me].copy = world.content.comparison?.copy.inode
            world.hands[me].stamp = world.content.comparison?.stamp ?? mine.stamp
            world.hands[me].isDone = world.hands[me].copy == nil
        case 2:
            world.hands[me].flag = mine.copy.map { world.bytes[$0] } == world.version
            if world.version == nil {
                // The copy is all there is.
                world.content.uploadWanted()
                world.hands[me].step = 4
            }
        case 3:
            world.hands[me].isDone = true
            if mine.flag {
                world.content.copyCompared(.init(inode: 1, size: 1, modified: 1))
                if world.content.mustCompare || !world.content.needsNoVerification, world.content.stamp == mine.stamp {
                    throw BrokenPromise(description: "what was just compared is to be compared again")
                }
            } else if world.content.copyRefuted(at: mine.stamp), world.named == mine.copy {
                world.named = nil
            }
        default:
            if !world.isDeleted { world.isMarked = true }
            world.hands[me].isDone = true
        }
    }
}
