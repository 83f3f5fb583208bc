// POSIX access control lists, as the kernel writes them into extended attributes (acl(5), <linux/posix_acl_xattr.h>). The
// kernel checks permissions; what a list means for the mode, for chmod and for new files is done here.

import Catalogue
import Glibc

/// An access control list: entries of a tag, permission bits (rwx) and, for named ones, a user or group.
struct AccessControlList: Equatable {
    /// Whose permissions an entry says, in the kernel's numbers.
    enum Tag: UInt16 {
        case owner = 0x01
        case user = 0x02
        case owningGroup = 0x04
        case group = 0x08
        case mask = 0x10
        case other = 0x20
    }

    struct Entry: Equatable {
        var tag: Tag
        var permissions: UInt16
        var id: UInt32
    }

    static let access: XattrName = "system.posix_acl_access"
    static let inherited: XattrName = "system.posix_acl_default"
    private static let version: UInt32 = 2

    private(set) var entries: [Entry]

    /// Reads an attribute's value; nil if it is not a valid list.
    init?(_ value: [UInt8]) {
        func number(at offset: Int, bytes: Int) -> UInt32 {
            (0..<bytes).reduce(0) { $0 | UInt32(value[offset + $1]) << (8 * UInt32($1)) }
        }
        guard value.count >= 4, (value.count - 4) % 8 == 0, number(at: 0, bytes: 4) == Self.version else { return nil }
        entries = []
        for offset in stride(from: 4, to: value.count, by: 8) {
            guard let tag = Tag(rawValue: UInt16(number(at: offset, bytes: 2))) else { return nil }
            let permissions = UInt16(number(at: offset + 2, bytes: 2))
            guard permissions <= 7 else { return nil }
            entries.append(Entry(tag: tag, permissions: permissions, id: number(at: offset + 4, bytes: 4)))
        }
        let needsMask = entries.contains { $0.tag == .user || $0.tag == .group }
        func count(_ tag: Tag) -> Int { entries.count { $0.tag == tag } }
        guard count(.owner) == 1, count(.owningGroup) == 1, count(.other) == 1, count(.mask) <= 1,
            count(.mask) == 1 || !needsMask
        else { return nil }
    }

    /// The attribute's value.
    var bytes: [UInt8] {
        func little(_ number: UInt32, bytes: Int) -> [UInt8] {
            (0..<bytes).map { UInt8(truncatingIfNeeded: number >> (8 * UInt32($0))) }
        }
        return little(Self.version, bytes: 4)
            + entries.flatMap {
                little(UInt32($0.tag.rawValue), bytes: 2) + little(UInt32($0.permissions), bytes: 2)
                    + little($0.id, bytes: 4)
            }
    }

    /// Whether it says nothing that the nine mode bits do not say.
    var isMode: Bool { entries.count == 3 }

    /// The nine bits of the mode that it stands for; the group's are the mask's if there is one.
    var modeBits: UInt32 {
        let group = permissions(of: .mask) ?? permissions(of: .owningGroup) ?? 0
        return UInt32(permissions(of: .owner) ?? 0) << 6 | UInt32(group) << 3 | UInt32(permissions(of: .other) ?? 0)
    }

    /// The mode of the plain copy in main of a file with this list.
    ///
    /// The group's bits of the file's own mode are the mask, which is what the list gives to anybody at most: as a mode they
    /// would give it to all of the owning group. Main gets what the list says of that group.
    func mainMode(_ mode: UInt32) -> UInt32 {
        let group = (permissions(of: .owningGroup) ?? 0) & (permissions(of: .mask) ?? 7)
        return mode & ~0o070 | UInt32(group) << 3
    }

    private func permissions(of tag: Tag) -> UInt16? { entries.first { $0.tag == tag }?.permissions }

    /// What chmod makes of it.
    mutating func setMode(_ mode: UInt32) { changeClasses(mode) { _, new in new } }

    /// What a new file that is created with `mode` gets of its directory's list.
    mutating func restrict(to mode: UInt32) { changeClasses(mode) { $0 & $1 } }

    /// The entries that the mode shows: the owner's, the mask or else the group's, and the others'.
    private mutating func changeClasses(_ mode: UInt32, _ change: (UInt16, UInt16) -> UInt16) {
        let groupTag: Tag = permissions(of: .mask) == nil ? .owningGroup : .mask
        for index in entries.indices {
            let shift: UInt32
            switch entries[index].tag {
            case .owner: shift = 6
            case groupTag: shift = 3
            case .other: shift = 0
            default: continue
            }
            entries[index].permissions = change(entries[index].permissions, UInt16(mode >> shift & 7))
        }
    }
}
