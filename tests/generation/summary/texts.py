"""The same short report in the 23 languages of Phi-3.5, for the tests of summaries."""

from __future__ import annotations

REPORT = {
    "en": "The old harbour of the town was closed in 1987 after a storm. Engineers rebuilt the harbour wall with "
    "stone from the quarry. Today the harbour is used by forty fishing boats every morning.",
    "de": "Der alte Hafen der Stadt wurde 1987 nach einem Sturm geschlossen. Ingenieure bauten die Hafenmauer mit "
    "Steinen aus dem Steinbruch wieder auf. Heute nutzen vierzig Fischerboote den Hafen an jedem Morgen.",
    "fr": "Le vieux port de la ville a été fermé en 1987 après une tempête. Les ingénieurs ont reconstruit le mur "
    "du port avec des pierres de la carrière. Aujourd'hui le port est utilisé chaque matin par quarante bateaux "
    "de pêche.",
    "es": "El viejo puerto de la ciudad fue cerrado en 1987 después de una tormenta. Los ingenieros reconstruyeron "
    "el muro del puerto con piedras de la cantera. Hoy cuarenta barcos de pesca usan el puerto cada mañana.",
    "it": "Il vecchio porto della città fu chiuso nel 1987 dopo una tempesta. Gli ingegneri ricostruirono il muro "
    "del porto con pietre della cava. Oggi quaranta barche da pesca usano il porto ogni mattina.",
    "pt": "O velho porto da cidade foi fechado em 1987 depois de uma tempestade. Os engenheiros reconstruíram o "
    "muro do porto com pedras da pedreira. Hoje quarenta barcos de pesca usam o porto todas as manhãs.",
    "nl": "De oude haven van de stad werd in 1987 na een storm gesloten. Ingenieurs bouwden de havenmuur weer op "
    "met stenen uit de steengroeve. Vandaag gebruiken veertig vissersboten de haven elke ochtend.",
    "sv": "Den gamla hamnen i staden stängdes 1987 efter en storm. Ingenjörer byggde upp hamnmuren igen med sten "
    "från stenbrottet. Idag används hamnen av fyrtio fiskebåtar varje morgon.",
    "da": "Den gamle havn i byen blev lukket i 1987 efter en storm. Ingeniører genopbyggede havnemuren med sten "
    "fra stenbruddet. I dag bruges havnen af fyrre fiskerbåde hver eneste morgen.",
    "no": "Den gamle havnen i byen ble stengt i 1987 etter en storm. Ingeniører bygde opp havnemuren igjen med "
    "stein fra steinbruddet. I dag brukes havnen av førti fiskebåter hver eneste morgen.",
    "fi": "Kaupungin vanha satama suljettiin vuonna 1987 suuren myrskyn jälkeen. Insinöörit rakensivat sataman "
    "muurin uudelleen louhoksen kivistä. Nykyään neljäkymmentä kalastusvenettä käyttää satamaa joka aamu.",
    "pl": "Stary port miasta został zamknięty w 1987 roku po wielkiej burzy. Inżynierowie odbudowali mur portu "
    "z kamienia z pobliskiego kamieniołomu. Dzisiaj port jest używany przez czterdzieści łodzi rybackich "
    "każdego ranka.",
    "cs": "Starý přístav města byl v roce 1987 po bouři uzavřen. Inženýři znovu postavili zeď přístavu z kamene "
    "z nedalekého lomu. Dnes přístav každé ráno používá čtyřicet rybářských lodí z okolí.",
    "hu": "A város régi kikötőjét 1987-ben egy vihar után bezárták. A mérnökök a kikötő falát a bánya köveiből "
    "építették újjá. Ma a kikötőt minden reggel negyven halászhajó használja a környékről.",
    "ru": "Старый порт города был закрыт в 1987 году после шторма. Инженеры восстановили стену порта камнем из "
    "каменоломни. Сегодня порт каждое утро используют сорок рыбацких лодок.",
    "uk": "Старий порт міста був закритий у 1987 році після шторму. Інженери відбудували стіну порту каменем із "
    "каменоломні. Сьогодні порт щоранку використовують сорок рибальських човнів із села.",
    "tr": "Kentin eski limanı 1987 yılında büyük bir fırtınadan sonra kapatıldı. Mühendisler liman duvarını taş "
    "ocağından gelen taşlarla yeniden yaptılar. Bugün liman her sabah kırk balıkçı teknesi tarafından kullanılıyor.",
    "ar": "أغلق ميناء المدينة القديم في عام 1987 بعد عاصفة كبيرة. أعاد المهندسون بناء جدار الميناء بحجارة من المحجر "
    "القريب. يستخدم الميناء اليوم أربعون قارب صيد في كل صباح من أيام السنة.",
    "he": "הנמל הישן של העיר נסגר בשנת 1987 אחרי סערה גדולה מאוד. המהנדסים בנו מחדש את חומת הנמל באבנים מן המחצבה "
    "הקרובה. היום ארבעים סירות דיג משתמשות בנמל בכל בוקר מימות השנה.",
    "ja": "町の古い港は一九八七年の嵐のあとに閉鎖されました。技術者たちは採石場の石で港の壁を建て直しました。今"
    "日では四十隻の漁船が毎朝この港を使っています。",
    "zh": "这座城市的老港口在一九八七年的一场风暴之后关闭了。工程师们用采石场的石头重新修建了港口的围墙。今天每"
    "天早上有四十艘渔船使用这个港口。",
    "ko": "도시의 오래된 항구는 1987년 큰 폭풍이 지나간 뒤에 문을 닫았습니다. 기술자들은 가까운 채석장의 돌로 항"
    "구의 벽을 다시 세웠습니다. 오늘날 마흔 척의 어선이 매일 아침 이 항구를 사용하고 있습니다.",
    "th": "ท่าเรือเก่าของเมืองถูกปิดในปีพุทธศักราชสองพันห้าร้อยสามสิบหลังจากเกิดพายุใหญ่ วิศวกรสร้างกำแพงของท่าเรือขึ้นใหม่ด้วยหินจากเหมืองหินใกล้เมือง "
    "ปัจจุบันเรือประมงสี่สิบลำใช้ท่าเรือแห่งนี้ทุกเช้าตลอดทั้งปี",
}
