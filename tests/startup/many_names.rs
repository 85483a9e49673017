//! A program with 300 messages that have names, more than there are bytes: it starts, and calls each
//! over one connection.

use dip::{Client, Router, Server};

macro_rules! messages {
    ($($module:ident $name:literal)+) => {
        $(mod $module {
            use dip::{Client, Protocol, handler};
            use serde::{Deserialize, Serialize};

            #[derive(Serialize, Deserialize, Protocol)]
            #[mtype($name)]
            #[protocol(reply = String)]
            struct Message {
                number: u32,
            }

            #[handler]
            async fn answer(message: Message) -> String {
                format!("{} {}", $name, message.number)
            }

            pub(super) async fn is_right(client: &Client, number: u32) -> dip::Result<bool> {
                let answer = client.call(&Message { number }).await?;
                Ok(answer == format!("{} {number}", $name))
            }
        })+

        /// How many of the messages are answered with their own name and number.
        async fn right_answers(client: &Client) -> dip::Result<u32> {
            let (mut number, mut right) = (0, 0);
            $(
                number += 1;
                right += u32::from($module::is_right(client, number).await?);
            )+
            Ok(right)
        }
    };
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> dip::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_default();
    let path = format!("{folder}/run.sock");
    let bound = Server::builder(path.as_str()).bind().await?;
    println!("{} handlers", Router::linked().handlers().count());
    let server = bound.server();
    tokio::spawn(bound.run());
    let client = Client::connect(path.as_str()).await?;
    let right = right_answers(&client).await?;
    println!("{right} right answers over {} connection", server.stats().accepted);
    client.close().await
}

messages! {
    m000 "m000" m001 "m001" m002 "m002" m003 "m003" m004 "m004" m005 "m005"
    m006 "m006" m007 "m007" m008 "m008" m009 "m009" m010 "m010" m011 "m011"
    m012 "m012" m013 "m013" m014 "m014" m015 "m015" m016 "m016" m017 "m017"
    m018 "m018" m019 "m019" m020 "m020" m021 "m021" m022 "m022" m023 "m023"
    m024 "m024" m025 "m025" m026 "m026" m027 "m027" m028 "m028" m029 "m029"
    m030 "m030" m031 "m031" m032 "m032" m033 "m033" m034 "m034" m035 "m035"
    m036 "m036" m037 "m037" m038 "m038" m039 "m039" m040 "m040" m041 "m041"
    m042 "m042" m043 "m043" m044 "m044" m045 "m045" m046 "m046" m047 "m047"
    m048 "m048" m049 "m049" m050 "m050" m051 "m051" m052 "m052" m053 "m053"
    m054 "m054" m055 "m055" m056 "m056" m057 "m057" m058 "m058" m059 "m059"
    m060 "m060" m061 "m061" m062 "m062" m063 "m063" m064 "m064" m065 "m065"
    m066 "m066" m067 "m067" m068 "m068" m069 "m069" m070 "m070" m071 "m071"
    m072 "m072" m073 "m073" m074 "m074" m075 "m075" m076 "m076" m077 "m077"
    m078 "m078" m079 "m079" m080 "m080" m081 "m081" m082 "m082" m083 "m083"
    m084 "m084" m085 "m085" m086 "m086" m087 "m087" m088 "m088" m089 "m089"
    m090 "m090" m091 "m091" m092 "m092" m093 "m093" m094 "m094" m095 "m095"
    m096 "m096" m097 "m097" m098 "m098" m099 "m099" m100 "m100" m101 "m101"
    m102 "m102" m103 "m103" m104 "m104" m105 "m105" m106 "m106" m107 "m107"
    m108 "m108" m109 "m109" m110 "m110" m111 "m111" m112 "m112" m113 "m113"
    m114 "m114" m115 "m115" m116 "m116" m117 "m117" m118 "m118" m119 "m119"
    m120 "m120" m121 "m121" m122 "m122" m123 "m123" m124 "m124" m125 "m125"
    m126 "m126" m127 "m127" m128 "m128" m129 "m129" m130 "m130" m131 "m131"
    m132 "m132" m133 "m133" m134 "m134" m135 "m135" m136 "m136" m137 "m137"
    m138 "m138" m139 "m139" m140 "m140" m141 "m141" m142 "m142" m143 "m143"
    m144 "m144" m145 "m145" m146 "m146" m147 "m147" m148 "m148" m149 "m149"
    m150 "m150" m151 "m151" m152 "m152" m153 "m153" m154 "m154" m155 "m155"
    m156 "m156" m157 "m157" m158 "m158" m159 "m159" m160 "m160" m161 "m161"
    m162 "m162" m163 "m163" m164 "m164" m165 "m165" m166 "m166" m167 "m167"
    m168 "m168" m169 "m169" m170 "m170" m171 "m171" m172 "m172" m173 "m173"
    m174 "m174" m175 "m175" m176 "m176" m177 "m177" m178 "m178" m179 "m179"
    m180 "m180" m181 "m181" m182 "m182" m183 "m183" m184 "m184" m185 "m185"
    m186 "m186" m187 "m187" m188 "m188" m189 "m189" m190 "m190" m191 "m191"
    m192 "m192" m193 "m193" m194 "m194" m195 "m195" m196 "m196" m197 "m197"
    m198 "m198" m199 "m199" m200 "m200" m201 "m201" m202 "m202" m203 "m203"
    m204 "m204" m205 "m205" m206 "m206" m207 "m207" m208 "m208" m209 "m209"
    m210 "m210" m211 "m211" m212 "m212" m213 "m213" m214 "m214" m215 "m215"
    m216 "m216" m217 "m217" m218 "m218" m219 "m219" m220 "m220" m221 "m221"
    m222 "m222" m223 "m223" m224 "m224" m225 "m225" m226 "m226" m227 "m227"
    m228 "m228" m229 "m229" m230 "m230" m231 "m231" m232 "m232" m233 "m233"
    m234 "m234" m235 "m235" m236 "m236" m237 "m237" m238 "m238" m239 "m239"
    m240 "m240" m241 "m241" m242 "m242" m243 "m243" m244 "m244" m245 "m245"
    m246 "m246" m247 "m247" m248 "m248" m249 "m249" m250 "m250" m251 "m251"
    m252 "m252" m253 "m253" m254 "m254" m255 "m255" m256 "m256" m257 "m257"
    m258 "m258" m259 "m259" m260 "m260" m261 "m261" m262 "m262" m263 "m263"
    m264 "m264" m265 "m265" m266 "m266" m267 "m267" m268 "m268" m269 "m269"
    m270 "m270" m271 "m271" m272 "m272" m273 "m273" m274 "m274" m275 "m275"
    m276 "m276" m277 "m277" m278 "m278" m279 "m279" m280 "m280" m281 "m281"
    m282 "m282" m283 "m283" m284 "m284" m285 "m285" m286 "m286" m287 "m287"
    m288 "m288" m289 "m289" m290 "m290" m291 "m291" m292 "m292" m293 "m293"
    m294 "m294" m295 "m295" m296 "m296" m297 "m297" m298 "m298" m299 "m299"
}
