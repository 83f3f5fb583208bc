// What a tree shows: one line a path, so that the lines only one of two trees has say what differs.

import CLinux
import Glibc

/// A picture of everything below a directory.
struct ModelTree {
    /// The relative paths, in the order of their names.
    private(set) var paths: [String] = []
    /// What each shows: type, mode, owner, links, size, times that were set, attributes, content or target.
    private(set) var lines: Set<String> = []
    /// The regular files among them, with their inode numbers.
    private(set) var files: [(path: String, inode: UInt)] = []

    /// `started`: later times of modification are the steps' own, and differ; earlier ones were set.
    init(_ root: String, started: Int, withContent: Bool) throws(CallFailure) {
        try walk(root, "", started, withContent)
    }

    private mutating func walk(
        _ root: String, _ below: String, _ started: Int, _ withContent: Bool
    ) throws(CallFailure) {
        for (name, type) in try Self.entries("\(root)/\(below)") {
            let path = below.isEmpty ? name : "\(below)/\(name)"
            let full = "\(root)/\(path)"
            let found = try status(full)
            paths.append(path)
            let kind = found.st_mode & S_IFMT
            var line =
                "\(path) \(String(found.st_mode, radix: 8)) \(found.st_uid):\(found.st_gid) links \(found.st_nlink)"
            if kind >> 12 != mode_t(type) { line += " listed as \(type)" }
            if kind != S_IFDIR { line += " size \(found.st_size)" }
            let modified = found.st_mtim
            let isStepsOwn = modified.tv_sec >= started && modified.tv_sec < started + 1_000_000
            // What goes through a pipe sets the times of its inode in the kernel only (SEMANTICS, deviations).
            if kind != S_IFIFO { line += isStepsOwn ? " new" : " \(modified.tv_sec).\(modified.tv_nsec)" }
            line += try Self.attributes(full).map { " \($0)" }.joined()
            switch kind {
            case S_IFLNK: line += " -> \(try Self.target(full))"
            case S_IFREG:
                files.append((path, found.st_ino))
                if withContent { line += " " + ModelSide.summary(try readFile(full)) }
            default: break
            }
            lines.insert(line)
            if kind == S_IFDIR { try walk(root, path, started, withContent) }
        }
    }

    private static func entries(_ path: String) throws(CallFailure) -> [(name: String, type: UInt8)] {
        guard let directory = opendir(path) else { throw CallFailure(call: "opendir", code: errno) }
        defer { closedir(directory) }
        var result: [(name: String, type: UInt8)] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != "..", name != ".backupfs" { result.append((name, entry.pointee.d_type)) }
        }
        return result.sorted { $0.name < $1.name }
    }

    private static func attributes(_ path: String) throws(CallFailure) -> [String] {
        var list = [CChar](repeating: 0, count: 65_536)
        let length = try check("llistxattr", llistxattr(path, &list, list.count))
        let names = list[..<length].split(separator: 0).map {
            String(decoding: $0.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
        var result: [String] = []
        for name in names.sorted() {
            var value = [UInt8](repeating: 0, count: 65_536)
            let size = try check("lgetxattr", lgetxattr(path, name, &value, value.count))
            result.append("\(name)=\(ModelSide.summary(Array(value[..<size])))")
        }
        return result
    }

    private static func target(_ path: String) throws(CallFailure) -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = try check("readlink", readlink(path, &buffer, buffer.count))
        return String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
