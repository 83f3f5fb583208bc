import Catalogue
import Glibc

extension Resource {
    /// Whether a file in main looks like the copy that was last known to agree with the row (Read.2).
    func describes(_ status: stat) -> Bool {
        Int64(status.st_size) == size && UInt64(status.st_ino) == mainInode
            && Nanoseconds(status.st_mtim) == mainModified
    }

    /// Whether a file in main is the copy that the row tells of without knowing that it is on the disk.
    func isUnsynced(_ status: stat) -> Bool {
        inMain && UInt64(status.st_ino) == mainInode && mainModified == MainCopy.unsynced
    }
}

extension MainCopy {
    init(_ status: stat) {
        self.init(
            inode: UInt64(status.st_ino), size: Int64(status.st_size), modified: Nanoseconds(status.st_mtim))
    }
}

extension Resource.Kind {
    /// The file type bits of st_mode.
    package var modeBits: UInt32 {
        switch self {
        case .file: S_IFREG
        case .directory: S_IFDIR
        case .symlink: S_IFLNK
        case .fifo: S_IFIFO
        case .socket: S_IFSOCK
        case .character: S_IFCHR
        case .block: S_IFBLK
        }
    }

    /// The kind that st_mode tells; nil if it is none of ours.
    package init?(modeBits: UInt32) {
        switch modeBits & S_IFMT {
        case S_IFREG: self = .file
        case S_IFDIR: self = .directory
        case S_IFLNK: self = .symlink
        case S_IFIFO: self = .fifo
        case S_IFSOCK: self = .socket
        case S_IFCHR: self = .character
        case S_IFBLK: self = .block
        default: return nil
        }
    }
}
