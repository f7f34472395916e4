"""Sentences with places for figures, in four languages; `figures.py` fills them.

A place names its kind in braces; a digit tells places of the same kind apart.
"""

LANGUAGES = ("en", "de", "fr", "es")

MONTHS = {
    "en": "January February March April May June July August September October November December".split(),
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split(),
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split(),
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split(),
}
WEEKDAYS = {
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(),
    "de": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag".split(),
    "fr": "lundi mardi mercredi jeudi vendredi samedi dimanche".split(),
    "es": "lunes martes miércoles jueves viernes sábado domingo".split(),
}
NUMBER_WORDS = {  # from two: "one" has genders
    "en": "two three four five six seven eight nine ten eleven twelve".split(),
    "de": "zwei drei vier fünf sechs sieben acht neun zehn elf zwölf".split(),
    "fr": "deux trois quatre cinq six sept huit neuf dix onze douze".split(),
    "es": "dos tres cuatro cinco seis siete ocho nueve diez once doce".split(),
}

_LINES = """
{number} | {number} | {number} | {number}
{amount} | {amount} | {amount} | {amount}
{percent} | {percent} | {percent} | {percent}
{unit} | {unit} | {unit} | {unit}
{date} | {date} | {date} | {date}
{time} | {time} | {time} | {time}
It costs {amount}. | Es kostet {amount}. | Cela coûte {amount}. | Cuesta {amount}.
This costs {amount}. | Das kostet {amount}. | Ça coûte {amount}. | Esto cuesta {amount}.
The book costs {amount}. | Das Buch kostet {amount}. | Le livre coûte {amount}. | El libro cuesta {amount}.
The ticket is {amount}. | Die Fahrkarte kostet {amount}. | Le billet coûte {amount}. | El billete cuesta {amount}.
The price is {amount}. | Der Preis beträgt {amount}. | Le prix est de {amount}. | El precio es de {amount}.
I paid {amount} for it. | Ich habe {amount} dafür bezahlt. | Je l'ai payé {amount}. | Pagué {amount} por eso.
He owes me {amount}. | Er schuldet mir {amount}. | Il me doit {amount}. | Me debe {amount}.
She earns {amount} a month. | Sie verdient {amount} im Monat. | Elle gagne {amount} par mois. | Ella gana {amount} al mes.
We spent {amount} on food. | Wir haben {amount} für Essen ausgegeben. | Nous avons dépensé {amount} en nourriture. | Gastamos {amount} en comida.
The rent is {amount} per month. | Die Miete beträgt {amount} im Monat. | Le loyer est de {amount} par mois. | El alquiler es de {amount} al mes.
The bill comes to {amount1}, not {amount2}. | Die Rechnung beträgt {amount1}, nicht {amount2}. | L'addition s'élève à {amount1}, pas à {amount2}. | La cuenta asciende a {amount1}, no a {amount2}.
Do you have change for {amount}? | Können Sie {amount} wechseln? | Avez-vous la monnaie de {amount} ? | ¿Tiene cambio de {amount}?
The total is {number}. | Die Summe ist {number}. | Le total est de {number}. | El total es {number}.
The answer is {number}. | Die Antwort ist {number}. | La réponse est {number}. | La respuesta es {number}.
The result was {decimal}. | Das Ergebnis war {decimal}. | Le résultat était {decimal}. | El resultado fue {decimal}.
The average is {decimal1}, up from {decimal2}. | Der Durchschnitt liegt bei {decimal1}, zuvor waren es {decimal2}. | La moyenne est de {decimal1}, contre {decimal2} auparavant. | La media es de {decimal1}, frente a {decimal2} antes.
There are {count} people here. | Hier sind {count} Leute. | Il y a {count} personnes ici. | Hay {count} personas aquí.
The city has {count} inhabitants. | Die Stadt hat {count} Einwohner. | La ville compte {count} habitants. | La ciudad tiene {count} habitantes.
The company has {count} employees. | Die Firma hat {count} Mitarbeiter. | L'entreprise compte {count} employés. | La empresa tiene {count} empleados.
We sold {count} tickets. | Wir haben {count} Karten verkauft. | Nous avons vendu {count} billets. | Vendimos {count} entradas.
I have {count} books. | Ich habe {count} Bücher. | J'ai {count} livres. | Tengo {count} libros.
She took {count} photos. | Sie hat {count} Fotos gemacht. | Elle a pris {count} photos. | Ella tomó {count} fotos.
More than {count} people died. | Mehr als {count} Menschen starben. | Plus de {count} personnes sont mortes. | Murieron más de {count} personas.
The school has {count1} pupils and {count2} teachers. | Die Schule hat {count1} Schüler und {count2} Lehrer. | L'école compte {count1} élèves et {count2} enseignants. | La escuela tiene {count1} alumnos y {count2} profesores.
He is {small} years old. | Er ist {small} Jahre alt. | Il a {small} ans. | Él tiene {small} años.
My sister is {small}. | Meine Schwester ist {small}. | Ma sœur a {small} ans. | Mi hermana tiene {small} años.
We waited for {small} minutes. | Wir haben {small} Minuten gewartet. | Nous avons attendu {small} minutes. | Esperamos {small} minutos.
The trip takes {small} hours. | Die Fahrt dauert {small} Stunden. | Le voyage dure {small} heures. | El viaje dura {small} horas.
I will be back in {small} days. | Ich bin in {small} Tagen zurück. | Je serai de retour dans {small} jours. | Volveré en {small} días.
Open the book at page {count}. | Schlagt das Buch auf Seite {count} auf. | Ouvrez le livre à la page {count}. | Abran el libro en la página {count}.
Chapter {small} begins on page {count}. | Kapitel {small} beginnt auf Seite {count}. | Le chapitre {small} commence à la page {count}. | El capítulo {small} empieza en la página {count}.
About {percent} of the students passed. | Etwa {percent} der Schüler haben bestanden. | Environ {percent} des élèves ont réussi. | Aprobó aproximadamente el {percent} de los alumnos.
Prices rose by {percent}. | Die Preise sind um {percent} gestiegen. | Les prix ont augmenté de {percent}. | Los precios subieron un {percent}.
Sales fell by {percent1} to {percent2}. | Der Umsatz fiel um {percent1} auf {percent2}. | Les ventes ont baissé de {percent1} pour atteindre {percent2}. | Las ventas bajaron un {percent1} hasta el {percent2}.
You get a discount of {percent}. | Sie bekommen {percent} Rabatt. | Vous bénéficiez d'une remise de {percent}. | Usted recibe un descuento del {percent}.
The battery is at {percent}. | Der Akku steht bei {percent}. | La batterie est à {percent}. | La batería está al {percent}.
The train leaves at {time}. | Der Zug fährt um {time} ab. | Le train part à {time}. | El tren sale a las {time}.
The bus arrives at {time}. | Der Bus kommt um {time} an. | Le bus arrive à {time}. | El autobús llega a las {time}.
I get up at {time}. | Ich stehe um {time} auf. | Je me lève à {time}. | Me levanto a las {time}.
The meeting starts at {time1} and ends at {time2}. | Die Besprechung beginnt um {time1} und endet um {time2}. | La réunion commence à {time1} et se termine à {time2}. | La reunión empieza a las {time1} y termina a las {time2}.
The shop is open from {time1} to {time2}. | Das Geschäft ist von {time1} bis {time2} geöffnet. | Le magasin est ouvert de {time1} à {time2}. | La tienda está abierta de {time1} a {time2}.
Let's meet at {time}. | Treffen wir uns um {time}. | Retrouvons-nous à {time}. | Encontrémonos a las {time}.
Can you come at {time}? | Kannst du um {time} kommen? | Peux-tu venir à {time} ? | ¿Puedes venir a las {time}?
It is {time} now. | Es ist jetzt {time}. | Il est maintenant {time}. | Ahora son las {time}.
Please be here by {time} on {weekday}. | Bitte sei am {weekday} bis {time} hier. | Sois ici {weekday} avant {time}, s'il te plaît. | Por favor, está aquí el {weekday} antes de las {time}.
The film begins at {word} o'clock. | Der Film beginnt um {word} Uhr. | Le film commence à {word} heures. | La película empieza a las {word}.
We have dinner at {word} o'clock. | Wir essen um {word} Uhr zu Abend. | Nous dînons à {word} heures. | Cenamos a las {word}.
Wake me up at {word} o'clock tomorrow morning. | Weck mich morgen früh um {word} Uhr. | Réveille-moi demain matin à {word} heures. | Despiértame mañana a las {word}.
I need a room for {word} nights. | Ich brauche ein Zimmer für {word} Nächte. | J'ai besoin d'une chambre pour {word} nuits. | Necesito una habitación para {word} noches.
They have {word} children. | Sie haben {word} Kinder. | Ils ont {word} enfants. | Tienen {word} hijos.
Two coffees and {word1} teas for {word2} people, please. | Zwei Kaffee und {word1} Tee für {word2} Personen, bitte. | Deux cafés et {word1} thés pour {word2} personnes, s'il vous plaît. | Dos cafés y {word1} tés para {word2} personas, por favor.
He was born on {date}. | Er wurde am {date} geboren. | Il est né le {date}. | Él nació el {date}.
The letter is dated {date}. | Der Brief ist vom {date}. | La lettre est datée du {date}. | La carta está fechada el {date}.
The course starts on {date1} and ends on {date2}. | Der Kurs beginnt am {date1} und endet am {date2}. | Le cours commence le {date1} et se termine le {date2}. | El curso empieza el {date1} y termina el {date2}.
My birthday is on {date}. | Mein Geburtstag ist am {date}. | Mon anniversaire est le {date}. | Mi cumpleaños es el {date}.
The museum is closed on {date}. | Das Museum ist am {date} geschlossen. | Le musée est fermé le {date}. | El museo está cerrado el {date}.
We arrive on {weekday}, {date}. | Wir kommen am {weekday}, dem {date}, an. | Nous arrivons le {weekday} {date}. | Llegamos el {weekday} {date}.
The next meeting is on {weekday} at {time}. | Die nächste Besprechung ist am {weekday} um {time}. | La prochaine réunion a lieu {weekday} à {time}. | La próxima reunión es el {weekday} a las {time}.
She was born in {year}. | Sie wurde {year} geboren. | Elle est née en {year}. | Ella nació en {year}.
The war lasted from {year1} to {year2}. | Der Krieg dauerte von {year1} bis {year2}. | La guerre a duré de {year1} à {year2}. | La guerra duró de {year1} a {year2}.
In {month} {year}, we moved to Berlin. | Im {month} {year} sind wir nach Berlin gezogen. | En {month} {year}, nous avons déménagé à Berlin. | En {month} de {year} nos mudamos a Berlín.
I will visit you in {month}. | Ich besuche dich im {month}. | Je te rendrai visite en {month}. | Te visitaré en {month}.
It weighs {unit}. | Es wiegt {unit}. | Cela pèse {unit}. | Pesa {unit}.
The distance is {unit}. | Die Entfernung beträgt {unit}. | La distance est de {unit}. | La distancia es de {unit}.
The file is {unit} in size. | Die Datei ist {unit} groß. | Le fichier fait {unit}. | El archivo ocupa {unit}.
The temperature is between {unit1} and {unit2}. | Die Temperatur liegt zwischen {unit1} und {unit2}. | La température est comprise entre {unit1} et {unit2}. | La temperatura está entre {unit1} y {unit2}.
Add {unit} of water. | Fügen Sie {unit} Wasser hinzu. | Ajoutez {unit} d'eau. | Añada {unit} de agua.
We walked {decimal} kilometers. | Wir sind {decimal} Kilometer gelaufen. | Nous avons marché {decimal} kilomètres. | Caminamos {decimal} kilómetros.
The table is {unit1} long and {unit2} wide. | Der Tisch ist {unit1} lang und {unit2} breit. | La table mesure {unit1} de long et {unit2} de large. | La mesa mide {unit1} de largo y {unit2} de ancho.
This is the {ordinal} time. | Das ist das {ordinal} Mal. | C'est la {ordinal} fois. | Es la {ordinal} vez.
We live on the {ordinal} floor. | Wir wohnen im {ordinal} Stock. | Nous habitons au {ordinal} étage. | Vivimos en el {ordinal} piso.
She finished in {ordinal} place. | Sie belegte den {ordinal} Platz. | Elle a terminé à la {ordinal} place. | Terminó en {ordinal} lugar.
My room number is {code}. | Meine Zimmernummer ist {code}. | Mon numéro de chambre est le {code}. | Mi número de habitación es el {code}.
The flight leaves from gate {code}. | Der Flug startet von Gate {code}. | Le vol part de la porte {code}. | El vuelo sale de la puerta {code}.
Call me at {phone}. | Ruf mich unter {phone} an. | Appelle-moi au {phone}. | Llámame al {phone}.
My phone number is {phone}. | Meine Telefonnummer ist {phone}. | Mon numéro de téléphone est le {phone}. | Mi número de teléfono es el {phone}.
Version {version} is available. | Version {version} ist verfügbar. | La version {version} est disponible. | La versión {version} está disponible.
Please install version {version} or later. | Bitte installieren Sie Version {version} oder neuer. | Veuillez installer la version {version} ou une version ultérieure. | Instale la versión {version} o posterior.
See {copy} for more information. | Weitere Informationen finden Sie unter {copy}. | Consultez {copy} pour plus d'informations. | Consulte {copy} para obtener más información.
Visit {copy}. | Besuchen Sie {copy}. | Rendez-vous sur {copy}. | Visite {copy}.
Hello {copy}! | Hallo {copy}! | Bonjour {copy} ! | ¡Hola, {copy}!
Please write to {copy}. | Bitte schreiben Sie an {copy}. | Veuillez écrire à {copy}. | Escriba a {copy}.
Open {copy} and click OK. | Öffnen Sie {copy} und klicken Sie auf OK. | Ouvrez {copy} et cliquez sur OK. | Abra {copy} y haga clic en Aceptar.
{copy1} and {copy2} are not the same. | {copy1} und {copy2} sind nicht dasselbe. | {copy1} et {copy2} ne sont pas identiques. | {copy1} y {copy2} no son lo mismo.
You have {count} new messages from {copy}. | Du hast {count} neue Nachrichten von {copy}. | Vous avez {count} nouveaux messages de {copy}. | Tienes {count} mensajes nuevos de {copy}.
{name} arrived at {time} with {count} friends. | {name} kam um {time} mit {count} Freunden an. | {name} est arrivé à {time} avec {count} amis. | {name} llegó a las {time} con {count} amigos.
{name} paid {amount1} and {name2} paid {amount2}. | {name} hat {amount1} bezahlt und {name2} hat {amount2} bezahlt. | {name} a payé {amount1} et {name2} a payé {amount2}. | {name} pagó {amount1} y {name2} pagó {amount2}.
Send the file to {copy} before {date}. | Senden Sie die Datei vor dem {date} an {copy}. | Envoyez le fichier à {copy} avant le {date}. | Envíe el archivo a {copy} antes del {date}.
The order {code} was shipped on {date}. | Die Bestellung {code} wurde am {date} versandt. | La commande {code} a été expédiée le {date}. | El pedido {code} fue enviado el {date}.
Error {count}: the file {copy} was not found. | Fehler {count}: Die Datei {copy} wurde nicht gefunden. | Erreur {count} : le fichier {copy} est introuvable. | Error {count}: no se encontró el archivo {copy}.
"""

FRAMES = [dict(zip(LANGUAGES, line.split(" | "), strict=True)) for line in _LINES.strip().splitlines()]
"""Language code -> sentence, for each frame."""
