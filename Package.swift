// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    // Points where tests make the program stop, fail or wait (FileSystemCore/Failpoint.swift).
    .define("BACKUPFS_FAILPOINTS", .when(configuration: .debug)),
]

/// The rooms of BackupFS: each a folder below Sources/BackupFS; imports point down only (docs/ARCHITECTURE.md).
func room(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/BackupFS/\(name)", swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

let package = Package(
    name: "BackupFS",
    products: [.executable(name: "backupfs", targets: ["Command"])],
    dependencies: [
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
    ],
    targets: [
        .systemLibrary(name: "CCurl"),
        .systemLibrary(name: "CFuse"),
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "COpenSSL"),
        .systemLibrary(name: "CZlib"),
        room("Linux", ["CLinux"]),
        room("ObjectStorage", ["CCurl", "COpenSSL", "Linux", logging]),
        room("Catalogue", ["CZlib", "Linux", grdb]),
        room("FileSystemCore", ["Catalogue", "ObjectStorage", "Linux", logging]),
        room("FuseBinding", ["CFuse", "FileSystemCore", "Catalogue", "Linux", "ObjectStorage", logging]),
        .executableTarget(
            name: "Command",
            dependencies: [
                "FileSystemCore", "FuseBinding", "Linux", "ObjectStorage", argumentParser, logging,
            ],
            path: "Sources/BackupFS/Command", swiftSettings: strict),
        .target(name: "TestSupport", dependencies: ["ObjectStorage"], path: "Tests/Support", swiftSettings: strict),
        tests("CatalogueTests", ["Catalogue", "TestSupport"], exclude: ["Golden"]),
        tests("CommandTests", ["CLinux", "Command", "FileSystemCore", "Linux", "ObjectStorage", logging]),
        tests(
            "FileSystemCoreTests", ["FileSystemCore", "Catalogue", "Linux", "ObjectStorage", "TestSupport", logging],
            exclude: ["Golden"]),
        tests("LinuxTests", ["Linux"]),
        tests("MountTests", ["CLinux", "TestSupport"]),
        tests("ObjectStorageTests", ["CCurl", "Linux", "ObjectStorage", "TestSupport", logging]),
    ]
)
