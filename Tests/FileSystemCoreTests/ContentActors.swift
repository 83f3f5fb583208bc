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
    /// Deletes the file.
    case unlink

    /// The worlds that one step more may lead to; none if the actor is done, or waits for another one.
    func next(_ world: ContentWorld, _ me: Int) -> [ContentWorld] {
        guard !world.hands[me].isDone else { return [] }
        var after = world
        switch self {
        case .writer(let write): return Self.write(&after, me, write) ? [after] : []
        case .truncation: return Self.empty(&after, me) ? [after] : []
        case .upload: return Self.upload(after, me)
        case .recovery: Self.recover(&after, me)
        case .verification: Self.verify(&after, me)
        case .unlink:
            after.isDeleted = true
            after.named = nil
            after.hands[me].isDone = true
        }
        return [after]
    }

    /// False if it waits: for the copy to be fetched, or compared.
    private static func write(_ world: inout ContentWorld, _ me: Int, _ write: TestBytes.Writes) -> Bool {
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
            world.hands[me].step = world.content.writeBegins() ? 1 : 3
        case 3:
            guard world.holder == nil else { return false }
            world.holder = me
            if let copy = world.hands[me].copy { world.bytes[copy].first.insert(write) }
            world.hands[me].step = 4
        case 4:
            if let copy = world.hands[me].copy { world.bytes[copy].second.insert(write) }
            world.holder = nil
            world.hands[me].step = 5
        default: markAndClose(&world, me, write)
        }
        return true
    }

    /// The steps that all who change the file have in common: 1 and 2 mark the row before, 5 to 7 after, 8 closes.
    private static func markAndClose(_ world: inout ContentWorld, _ me: Int, _ write: TestBytes.Writes) {
        switch world.hands[me].step {
        case 1, 6:
            if !world.isDeleted { world.isMarked = true }
            world.hands[me].turn = world.content.marking()
            world.hands[me].step += 1
        case 2, 7:
            world.content.marked(world.hands[me].turn)
            world.hands[me].step += 1
        case 5: world.hands[me].step = world.content.writeEnded() ? 6 : 8
        default:
            world.closes.insert(.init(stamp: world.content.stamp, write: write))
            world.hands[me].isDone = true
        }
    }

    /// False if it waits for a write.
    private static func empty(_ world: inout ContentWorld, _ me: Int) -> Bool {
        switch world.hands[me].step {
        case 0:
            world.isEmptying = true
            world.hands[me].flag = world.open == nil
            world.hands[me].step = world.content.writeBegins() ? 1 : 3
        case 3:
            if world.hands[me].flag, world.open == nil { place(&world, 2, TestBytes(.emptying)) }
            world.hands[me].step = 4
        case 4:
            guard world.holder == nil else { return false }
            if let open = world.open { world.bytes[open] = TestBytes(.emptying) }
            world.content.emptied()
            world.hands[me].step = 5
        default: markAndClose(&world, me, .emptying)
        }
        return true
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
            after.hands[me].flag = world.content.isQuiet
            after.hands[me].copy = world.open ?? world.named
            after.hands[me].attempts += 1
            after.hands[me].step = after.hands[me].copy == nil ? 10 : 1
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
            let (isStillChanging, turn) = after.content.uploadCommitting(mine.stamp)
            after.hands[me].flag = isStillChanging
            after.hands[me].turn = turn
            if !world.isDeleted {
                after.version = mine.bytes
                after.isMarked = isStillChanging
            }
            after.hands[me].step = 5
        case 5:
            after.content.uploadCommitted(
                mine.stamp, mine.turn, isStillChanging: mine.flag, .init(inode: 1, size: 1, modified: 1))
            after.hands[me].step = 0
        default: giveUpLostChange(&after, me)
        }
        return [after]
    }

    /// Main has lost what was to be backed up: 10 asks in the transaction, 11 takes it in.
    private static func giveUpLostChange(_ world: inout ContentWorld, _ me: Int) {
        let mine = world.hands[me]
        if mine.step == 10 {
            guard world.version != nil, world.open == nil || world.hands[me].flag,
                world.content.changeLosing(mine.stamp)
            else {
                world.hands[me].isDone = true
                return
            }
            world.isMarked = false
            world.hands[me].step = 11
        } else {
            world.content.uploadNotNeeded(mine.stamp)
            world.hands[me].isDone = true
        }
    }

    private static func recover(_ world: inout ContentWorld, _ me: Int) {
        switch world.hands[me].step {
        case 0:
            guard world.open == nil, let version = world.version, !world.isDeleted else {
                world.hands[me].isDone = true
                return
            }
            world.hands[me].stamp = world.content.stamp
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

    private static func verify(_ world: inout ContentWorld, _ me: Int) {
        let mine = world.hands[me]
        switch mine.step {
        case 0:
            guard !world.content.needsNoVerification || world.content.mustCompare,
                let (copy, stamp) = world.content.comparison
            else {
                world.hands[me].isDone = true
                return
            }
            world.hands[me].copy = copy.number
            world.hands[me].stamp = stamp
            world.hands[me].step = 1
        case 1:
            world.hands[me].flag = mine.copy.map { world.bytes[$0] } == world.version
            world.hands[me].step = 2
        default:
            guard let number = mine.copy else { return }
            if mine.flag {
                world.content.copyCompared(
                    ContentWorld.copies[number], at: mine.stamp, .init(inode: 1, size: 1, modified: 1))
            } else if world.content.copyRefuted(ContentWorld.copies[number], at: mine.stamp) {
                if world.named == number { world.named = nil }
            }
            world.hands[me].isDone = true
        }
    }
}
