import Testing

@testable import S3Storage

@Suite("the XML of S3")
struct XMLTreeTests {
    static let list = """
        <?xml version="1.0" encoding="UTF-8"?>
        <!-- a list -->
        <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
          <Name>models</Name><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
          <Contents><Key>packs/a%2Db&amp;c.pack</Key><Size>17</Size><Owner/></Contents>
          <Contents><Key><![CDATA[packs/<x>]]></Key><Size>0</Size></Contents>
          <NextContinuationToken>1&#x2F;&#50;==</NextContinuationToken>
        </ListBucketResult>
        """

    @Test("a page of a list is read with its entities and what comes next")
    func page() throws {
        let page = try ListPage(Array(Self.list.utf8))
        #expect(page.objects.map(\.name) == ["packs/a-b&c.pack", "packs/<x>"])
        #expect(page.objects.map(\.size) == [17, 0])
        #expect(page.next == "1/2==")
    }

    @Test("a document that is cut anywhere is an error, never half a list")
    func torn() {
        let bytes = Array(Self.list.utf8)
        for count in 0..<bytes.count {
            #expect(throws: (any Error).self, "cut after \(count) bytes") {
                try XMLTree(Array(bytes.prefix(count)))
            }
        }
    }

    @Test("any one byte may be another without a trap")
    func flipped() {
        let bytes = Array(Self.list.utf8)
        for index in bytes.indices {
            for value: UInt8 in [0, 0x3c, 0x3e, 0x26, 0x2f, 0x22, 0xff] {
                var changed = bytes
                changed[index] = value
                _ = try? ListPage(changed)
            }
        }
    }

    @Test(
        "what is no document of S3 is refused",
        arguments: [
            "", "x", "<a>", "</a>", "<a></b>", "<a/><b/>", "<a>&unknown;</a>", "<a>&#xD800;</a>",
            "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "<a b=\"c></a>", "<>",
            "<a><![CDATA[x</a>",
        ])
    func refused(text: String) {
        #expect(throws: XMLTree.Malformed.self) { try XMLTree(Array(text.utf8)) }
    }

    @Test("a document is neither deeper nor larger than S3's are")
    func bounds() {
        let deep = String(repeating: "<a>", count: 200_000)
        #expect(throws: XMLTree.Malformed.self) { try XMLTree(Array(deep.utf8)) }
        let wide = "<a>" + String(repeating: "<b/>", count: XMLTree.maximumElements) + "</a>"
        #expect(throws: XMLTree.Malformed.self) { try XMLTree(Array(wide.utf8)) }
    }
}
