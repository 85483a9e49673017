use super::*;

#[test]
fn the_worked_example() {
    let metadata = Metadata { deadline: Some(2000), ..Metadata::default() };
    let header = Header {
        metadata: metadata.encoded_len(),
        mtype: 0x41,
        body: 2,
        ..Header::new(Kind::Request, 1)
    };
    let mut frame = header.encode().to_vec();
    metadata.encode(&mut frame);
    frame.extend_from_slice(&[2, 4]);
    let golden = [1, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0x41, 0, 0, 0, 2, 3, 0, 4, 0, 0, 7, 0xd0, 2, 4];
    assert_eq!(frame, golden);
}
