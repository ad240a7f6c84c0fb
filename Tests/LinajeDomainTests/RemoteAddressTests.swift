import LinajeDomain
import Testing

@Suite("RemoteAddress")
struct RemoteAddressTests {
    @Test("a bucket is named with its prefix and what is asked of it")
    func bucket() throws {
        let address = try RemoteAddress(
            parsing: "s3://models/team/x?region=eu-west-3&endpoint=http://minio:9000")
        #expect(address.scheme == .s3)
        #expect(address.bucket == "models")
        #expect(address.path == "team/x/")
        #expect(address.options == ["region": "eu-west-3", "endpoint": "http://minio:9000"])
        for text in ["s3://models", "s3://models/", "s3://models?region=x"] {
            #expect(try RemoteAddress(parsing: text).path == "", "\(text)")
        }
    }

    @Test("a folder is named by its absolute path")
    func folder() throws {
        let address = try RemoteAddress(parsing: "file:///mnt/copy")
        #expect(address.scheme == .file)
        #expect(address.path == "/mnt/copy")
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", "models", "s3:models", "s3://", "s3:///x", "https://s3/models", "s3://k:s@models/",
            "s3://models/?secret=hush", "s3://hush:hush@models/x",
            "s3://models/?region=hush&x=hush",
            "s3://models/?secret=x", "s3://models/?region", "s3://models/?region=",
            "s3://models/?region=a&region=b", "s3://models/a b", "s3://mod\u{e9}ls/", "file://x",
            "file:///a/../b", "file:///a/..", "file:///a?region=x",
            "s3://" + String(repeating: "a", count: 1_024),
        ])
    func refused(text: String) {
        let error = #expect(throws: LinajeError.self) { try RemoteAddress(parsing: text) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("hush") == false)
    }

    @Test("a remote's name is short and plain")
    func names() throws {
        #expect(try Names.remote("nas-2.lab_x") == "nas-2.lab_x")
        for text in ["", ".x", "-x", "a/b", "a b", String(repeating: "a", count: 65)] {
            #expect(throws: LinajeError.self, "\(text)") { try Names.remote(text) }
        }
    }
}
