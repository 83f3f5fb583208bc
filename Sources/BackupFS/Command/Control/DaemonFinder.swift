// How a path leads to the daemon that serves it. In a mount, every file says where the control socket is (an extended
// attribute), since the main directory may be covered by the mount. Outside, the main directory above the path has it.

import Glibc
import Linux

/// Where the daemon for a path may be reached, and what the path is called there.
struct DaemonTarget: Equatable {
    /// Where a control socket may be.
    enum Address: Equatable {
        /// The socket itself: `/proc/PID/fd/N/control.sock`.
        case socket(BytePath)
        /// The abstract address named after it.
        case abstract(String)
        /// A state directory with the socket in it.
        case stateDirectory(BytePath)
    }

    /// The places to try, in order.
    var addresses: [Address]
    /// The path relative to the file system's root, without a leading slash.
    var relativePath: [UInt8]
    /// The main directory, where it is known.
    var main: BytePath?
    /// The mount point, if the path is in a mount.
    var mountPoint: BytePath?
}

/// Finds the daemon that serves a path.
struct DaemonFinder {
    /// The mounts to look at.
    var mounts: MountTable
    /// The value of the control attribute of a path, no symbolic link followed; nil if it has none.
    var controlAttribute: (BytePath) -> String? = DaemonFinder.readControlAttribute

    /// What may be asked for `path`, which need not exist: then its nearest existing ancestor leads the way.
    func target(for path: BytePath) throws(ControlFailure) -> DaemonTarget {
        let (base, rest) = try nearestExisting(path)
        if let mount = mounts.entry(containing: base), mount.isFuse,
            let below = base.components(below: mount.mountPoint)
        {
            var addresses: [DaemonTarget.Address] = []
            if let socket = validated(controlAttribute(base) ?? controlAttribute(mount.mountPoint)) {
                addresses += [.socket(BytePath(socket)), .abstract(socket)]
            }
            // Without the attribute, the source names the main directory.
            if mount.isBackupFS, mount.source.isAbsolute, mount.source != mount.mountPoint {
                addresses.append(.stateDirectory(mount.source.appending(ControlProtocol.stateDirectoryName)))
            }
            if !addresses.isEmpty || mount.isBackupFS {
                let names = mount.root.components + below + rest
                return DaemonTarget(
                    addresses: addresses, relativePath: joined(names),
                    main: mount.source.isAbsolute ? mount.source : nil, mountPoint: mount.mountPoint)
            }
        }
        guard let main = mainDirectory(above: base), let below = base.components(below: main) else {
            throw .notBackupFS(path)
        }
        return DaemonTarget(
            addresses: [.stateDirectory(main.appending(ControlProtocol.stateDirectoryName))],
            relativePath: joined(below + rest), main: main)
    }

    /// The longest part of `path` that exists, resolved but for a symbolic link at its end, and the names behind it.
    private func nearestExisting(_ path: BytePath) throws(ControlFailure) -> (BytePath, [[UInt8]]) {
        var current = path.absolute()
        var rest: [[UInt8]] = []
        while true {
            do throws(SystemError) {
                return (try current.resolvedKeepingLastLink(), rest)
            } catch {
                switch error.code {
                case ENOENT, ENOTDIR:
                    guard let last = current.components.last, last != dotDot else { throw .path(path, error) }
                    rest.insert(last, at: 0)
                    current = current.parent
                case ENOTCONN: throw .deadMount(mounts.entry(containing: current)?.mountPoint ?? path)
                default: throw .path(path, error)
                }
            }
        }
    }

    /// The nearest directory at or above `path` that holds a catalogue.
    private func mainDirectory(above path: BytePath) -> BytePath? {
        var current = path
        while true {
            let state = current.appending(ControlProtocol.stateDirectoryName)
            do throws(SystemError) {
                _ = try state.appending(ControlProtocol.catalogueName).status()
                return current
            } catch {
                // Another user's state directory cannot be looked into, but it is one.
                if error.code == EACCES, (try? state.status())?.isDirectory == true { return current }
            }
            guard !current.components.isEmpty else { return nil }
            current = current.parent
        }
    }

    /// The attribute's value if it has the one form that a daemon gives it: any file system may answer anything.
    private func validated(_ value: String?) -> String? {
        guard let value else { return nil }
        let parts = value.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0].isEmpty, parts[1] == "proc", UInt32(parts[2]) != nil, parts[3] == "fd",
            UInt32(parts[4]) != nil, parts[5] == ControlProtocol.socketName
        else { return nil }
        return value
    }

    private static func readControlAttribute(_ path: BytePath) -> String? {
        let value = path.withCString { extendedAttribute(ControlProtocol.attributeName, of: $0, longest: 256) }
        return value.flatMap { String(validating: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

private let dotDot = Array("..".utf8)

private func joined(_ names: [[UInt8]]) -> [UInt8] {
    Array(names.map { $0[...] }.joined(separator: [UInt8(ascii: "/")]))
}
