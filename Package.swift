// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

/// The rooms of BackupFS: each a folder below Sources/BackupFS; imports point down only (docs/ARCHITECTURE.md).
func room(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/BackupFS/\(name)", swiftSettings: strict)
}

let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

let package = Package(
    name: "BackupFS",
    dependencies: [
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    ],
    targets: [
        .systemLibrary(name: "CCurl"),
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "COpenSSL"),
        .systemLibrary(name: "CZlib"),
        room("ObjectStorage", ["CCurl", "COpenSSL", logging]),
        room("Catalogue", ["CZlib", grdb]),
        room("FileSystemCore", ["Catalogue", "ObjectStorage", "CLinux", logging]),
        .testTarget(name: "CatalogueTests", dependencies: ["Catalogue"], swiftSettings: strict),
        .testTarget(name: "FileSystemCoreTests", dependencies: ["FileSystemCore"], swiftSettings: strict),
        .testTarget(name: "ObjectStorageTests", dependencies: ["ObjectStorage"], swiftSettings: strict),
    ]
)
