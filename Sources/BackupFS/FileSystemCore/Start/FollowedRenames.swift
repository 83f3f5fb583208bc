// Which of the recorded renames main has followed when the power went. A disk takes changes of names in their order, so main
// is as it was after the first so many of them. It cannot be asked rename by rename: after two exchanges of the same names, or
// a rename there and back, a file is under its first name again, and a rename that main has followed looks as if it had not.
// So all renames are played, and main is compared with what was under which name after each of them.

import Catalogue

/// The recorded renames, and what they tell of main.
struct FollowedRenames {
    /// A file or directory that was moved, and where it was from which rename on.
    private struct Moved {
        var inode: UInt64
        /// After so many renames (0: before the first) it had this name.
        var places: [(since: Int, place: Dentry)]
    }

    private let count: Int
    private var moved: [Moved] = []

    /// Plays the renames, oldest first.
    init(_ intents: [RenameIntent]) {
        count = intents.count
        // What has a name now, by its index in `moved`.
        var named: [Dentry: Int] = [:]
        for (index, intent) in intents.enumerated() where intent.sourceInode != 0 {
            let (source, target) = (intent.source, intent.target)
            let replaced = named[target]
            let mover = named[source] ?? moved.count
            if mover == moved.count { moved.append(Moved(inode: intent.sourceInode, places: [(0, source)])) }
            moved[mover].places.append((index + 1, target))
            named[target] = mover
            named[source] = nil
            if intent.isExchange, let replaced {
                moved[replaced].places.append((index + 1, source))
                named[source] = replaced
            }
        }
    }

    /// How many of the renames main has followed at least; nil if main is as after none of them, and not as before either.
    ///
    /// `inode` says which inode number main has under a name, 0 if it has nothing there, nil if it does not have the directory:
    /// that was renamed itself, and what lies in it is looked at when that rename was repeated. What main has under none of
    /// its names was deleted since, and tells nothing.
    func followed(
        inode: (Dentry) throws(FileSystemError) -> UInt64?
    ) throws(FileSystemError) -> Int? {
        // How many of the moved are where they were after so many renames, as differences.
        var changes = [Int](repeating: 0, count: count + 2)
        var present = 0
        var limit = count
        for one in moved {
            var isPresent = false
            for (index, (since, place)) in one.places.enumerated() {
                guard let found = try inode(place) else {
                    limit = min(limit, one.places.dropFirst().first.map { $0.since - 1 } ?? 0)
                    continue
                }
                guard found == one.inode else { continue }
                isPresent = true
                changes[since] += 1
                changes[index + 1 < one.places.count ? one.places[index + 1].since : count + 1] -= 1
            }
            present += isPresent ? 1 : 0
        }
        var matching = 0
        var last: Int?
        for renames in 0...limit {
            matching += changes[renames]
            if matching == present { last = renames }
        }
        return last
    }
}
