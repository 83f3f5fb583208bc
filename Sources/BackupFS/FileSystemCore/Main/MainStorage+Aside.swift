import Glibc
import Linux

extension MainStorage {
    /// The names from the root down to an open directory of main, as they are on the disk now.
    func path(of directory: Descriptor) -> [[UInt8]] {
        guard let top = Self.link(of: root), let full = Self.link(of: directory), full.starts(with: top) else {
            return []
        }
        return full.dropFirst(top.count).split(separator: UInt8(ascii: "/")).map(Array.init)
    }

    /// The kernel's path of an open directory, which says where it is even if something is mounted over it.
    private static func link(of directory: Descriptor) -> [UInt8]? {
        // Longer ones the kernel does not tell.
        var text = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = readlink("/proc/self/fd/\(directory.number)", &text, text.count)
        return count > 0 ? text[..<count].map { UInt8(bitPattern: $0) } : nil
    }

    /// Moves what lies under a name into `.backupfs/aside/ID/`, under `path`; false if nothing lies there.
    func moveAside(
        _ entry: MainEntry, _ path: [[UInt8]], _ id: Int64
    ) throws(FileSystemError) -> Bool {
        let place = try MainEntry(try asideDirectory(id, path, making: true), path.last ?? entry.name)
        let result = entry.at { from, name in place.at { renameExclusively(from, name, $0, $1) } }
        guard result != 0 else { return true }
        let code = errno
        if code == EXDEV {
            try moveByCopy(from: entry, to: place)
            return true
        }
        removeAsideDirectories(id, path)
        guard code == ENOENT else { throw .main(errno: code, during: "setting aside") }
        return false
    }

    /// Whether it lies where it was moved to.
    func isAside(_ id: Int64, _ path: [[UInt8]]) throws(FileSystemError) -> Bool {
        guard let name = path.last, let place = try? asideDirectory(id, path, making: false) else { return false }
        return try status(try MainEntry(place, name)) != nil
    }

    /// Moves it back, under a name that must be free.
    func moveBack(_ id: Int64, _ path: [[UInt8]], _ entry: MainEntry) throws(FileSystemError) {
        let place = try MainEntry(try asideDirectory(id, path, making: false), path.last ?? [])
        let result = place.at { from, name in entry.at { renameExclusively(from, name, $0, $1) } }
        if result != 0, errno == EXDEV { return try moveByCopy(from: place, to: entry) }
        try check(result, "bringing back what was set aside")
    }

    /// Removes the directories that were made to keep a path, as far as they are empty.
    func removeAsideDirectories(_ id: Int64, _ path: [[UInt8]]) {
        let names = [Array("\(id)".utf8)] + path.dropLast()
        for depth in names.indices.reversed() {
            guard let parent = try? openDirectory(Array(names[..<depth]), in: aside),
                (try? remove(try MainEntry(parent, names[depth]), isDirectory: true)) != nil
            else { return }
        }
    }

    /// Removes what was set aside, for good; nothing happens if it is not there.
    func discardAside(_ id: Int64) throws(FileSystemError) { try removeTree(try MainEntry(aside, Array("\(id)".utf8))) }

    /// Removes what lies under a name, and everything below it, not following links.
    private func removeTree(_ entry: MainEntry) throws(FileSystemError) {
        guard let status = try status(entry) else { return }
        let isDirectory = status.st_mode & S_IFMT == S_IFDIR
        if isDirectory {
            let directory = try openDirectory([entry.name], in: entry.directory)
            for child in try entries(in: directory) { try removeTree(try MainEntry(directory, child.name)) }
        }
        _ = try remove(entry, isDirectory: isDirectory)
    }

    /// The directory in `.backupfs/aside/ID/` that holds the last name of `path`.
    private func asideDirectory(_ id: Int64, _ path: [[UInt8]], making: Bool) throws(FileSystemError) -> Descriptor {
        var directory = aside
        for name in [Array("\(id)".utf8)] + path.dropLast() {
            if making {
                let result = try MainEntry(directory, name).at { mkdirat($0, $1, 0o700) }
                // That the place for it is gone says nothing about the file that a program asked for.
                if result != 0, errno != EEXIST {
                    throw .main(errno: errno == ENOENT ? EIO : errno, during: "setting aside")
                }
            }
            directory = try openDirectory([name], in: directory)
        }
        return directory
    }
}
