"""Frequent words of a language that the other languages here do not have.

A text with one of them is of that language, near enough, which takes a microsecond to find out; the detector takes a
hundred, and 70 MB. A text without one may be of the language all the same.
"""

import re

# Of the four languages that Tatoeba has most of: its most frequent words that are a hundred times rarer in the others.
_WORDS = {
    "en": "the to you that of it have this for my don't what are your we his be and with not she like i'm know "
    "want at can did how him about there think here can't it's time very up had didn't get why they if "
    "out from going one when you're were good by would doesn't just been please help i'll where us tell "
    "need take said could who never than should got that's too now much home i've isn't money some "
    "something make day really does any back anything say work people book told right lot made three many "
    "last i'd give look he's only house our room school better always speak again let what's way went "
    "love today off before thought doing old down well ever asked talk must into two eat we're other "
    "father over leave every happy after years tomorrow everything find won't ask may wanted left let's "
    "little read stop took saw live came next these dog nothing yesterday believe children night stay "
    "wants done without looking first away mother couldn't knows their buy understand english wrong "
    "there's wasn't life things friends call them even alone door used keep play gave late lost happened "
    "hard soon enough heard already mary's feel each thing try often likes found looks remember busy "
    "bought knew himself seen hope mind yet around year true able morning water answer you've wait aren't "
    "married you'll friend cold teacher looked best because few watch hear wish same haven't anymore "
    "anyone big everyone while seems most brother wouldn't else says great yourself being beautiful books "
    "we'll someone days another afraid family both letter coffee coming almost girl boy open getting bed "
    "food write she's tried sorry you'd pay might learn tired talking young turn world care which matter "
    "hours study those walk since happen lives ago thank meet died sister quite until own phone waiting "
    "sleep easy together truth called early they're difficult nice trying reading story usually gone "
    "office nobody started playing five cat working forget far start swim longer students picture fun "
    "hair wife myself word cannot needs rain living drive japanese dinner hurt eyes mistake makes wonder "
    "sick rich we've shouldn't everybody turned angry miss sat small month should've window finished "
    "through seem fire under run child fish movie arrived broke listen mean advice number taking music "
    "town killed watching goes wearing stupid having decided worry pretty thirty walked news caught "
    "eating breakfast loves shoes ready clothes known kept interesting later hungry thinking saying lunch "
    "river glad hands class making bit woman cut dark behind probably older lived yours ate language wear "
    "surprised hurry hate birthday age felt free homework whether then wrote bicycle weather exactly sit "
    "interested speaks visit",
    "de": "ich nicht ist sie zu er der dass ein wir habe mir sich auf den wie mich eine und ihr haben kann von "
    "einen sind für dem dich sein als bin dir hast um aus noch nach im wird sehr etwas wenn meine warum "
    "mein weiß tun ihn bist mehr gehen schon bitte vor gut werden werde keine wurde immer hatte nichts "
    "muss diese möchte wo nur viel seine ihm dieses zum können machen euch zeit über bei nie sagen heute "
    "würde einem deine gerne hätte sagte ihre oder geld alles alle aber dieser einer kannst ihnen viele "
    "französisch kein jetzt hause gerade morgen drei sehen buch gibt gesagt einmal wissen leben mag "
    "wollte wer geht müssen helfen arbeit kommen macht willst seinen wann sprechen wirklich gesehen "
    "glaube dein wieder zur vater haus essen lange wäre auch einfach habt meinen lassen schule gemacht "
    "kommt konnte waren uhr besser gestern doch kam keinen bis ob ab mann ging getan ins mutter kinder "
    "zwei ohne zimmer denke sicher diesem könnte frage wollen hund seinem niemand sei sollte sagt sah "
    "gehört musst soll diesen lass gab allein jeden weg seiner sieht sollen wirst zurück meinem paar oft "
    "damit hilfe meiner ganz ihren lernen selbst weißt dachte geben tut fragen gern glücklich vielleicht "
    "solltest seit wusste scheint davon darüber jemand mädchen frau deinen sollten seid freund spielen "
    "recht schnell bleiben fahren tür leute englisch passiert reden woche jahre lesen glauben gekommen "
    "nacht stadt warten abend gute wohl menschen wahr hören zusammen beim fehler spricht jahr bruder "
    "unter genug spät durch kaufen gegangen jahren alt zug beschäftigt bekommen schwer wasser gekauft "
    "dazu eltern gehe letzte freunde fertig darf bücher nahm liebe vergessen finden hoffe gefällt unsere "
    "junge daran gefunden familie nehmen treffen kaffee denn gewesen bett schwester ganzen weil brauchen "
    "darauf schön lehrer anderen vom jeder gar verloren möchtest dann genau ganze überhaupt ihrer angst "
    "andere welt danke augen fragte eines gefallen wagen hättest geschichte brauche schwimmen kenne beide "
    "arbeiten müde groß neue schreiben namen wünschte worden einige zehn früher stunden marias steht hin "
    "braucht dafür lang deiner leid gegessen kaum lieber verstehen guter wahrheit ziemlich minuten gib "
    "große ja tisch würdest könnten katze könntest letzten bringen früh leicht ihrem straße fenster "
    "machte bisschen hörte mach unser sorgen gleich arzt eure welche neuen meinung gegen hatten sag fünf "
    "sohn wohnt musste draußen komme polizei erst liegt bevor trinken tage wort denkst ließ geschrieben "
    "nächsten während halten mache warst isst krank bahnhof getroffen lasst wegen ende machst rauchen "
    "komm könnt alte sofort gehst weiter gegeben spaß spielt neues siehst idee reich denken versuchen "
    "fahrrad wurden möchten gewöhnlich sonst brauchst versuchte später glaubst schlafen hätten tat "
    "antwort besuchen mögen verlassen allen hielt verstehe stelle fährt versucht menge",
    "fr": "pas vous ne est ce nous une j'ai suis pour elle c'est faire ça dans plus moi qui tout veux fait avec "
    "mon au qu'il sont et êtes n'est être cette très lui temps cela peux ils pourquoi votre était été "
    "avez sais pense ici jamais toi n'ai comment où vraiment sa quelque dire ton tous beaucoup là besoin "
    "peut sommes personne avons elles ont parler s'est rien peu maison trop m'a deux quoi voir ai même "
    "toujours comme s'il encore quand n'a mais monde ses bon soit faut avoir combien dois voiture ta fois "
    "maintenant ceci avait j'aimerais travail aussi j'étais vu fais l'air pouvez père chez aujourd'hui "
    "juste toutes quel n'y ces déjà livre c'était assez quelqu'un d'un pensais voulez bonne mieux puis "
    "notre trois plaît après demain prendre sans problème devrais seul avant d'être vie manger gens "
    "savoir simplement dû tes toute heures mère fut soir enfants cet l'ai aux nuit quelques qu'est choses "
    "l'école chien pris veut j'aime ou dis qu'elle n'arrive sens jour d'une d'argent petit voulais "
    "heureux passé sûr n'êtes rendre dernière sait parle faites tôt l'a jours croire nouveau idée depuis "
    "rester j'espère demandé seule chambre leur peur pendant difficile raison pourrais pu entendu fille "
    "pouvons l'argent semaine autre prie amis soyez laisse homme ami nom souvent femme savais arrivé "
    "aider matin j'avais sera semble longtemps demande déjeuner moins n'aime t'ai heure n'en trouver lire "
    "fête étaient crois d'autre pourrait retard lorsque n'était dites aucun vrai sortir tard perdu jouer "
    "trouvé presque doit pièce dont viens n'es désolé frère voudrais téléphone acheté ville jusqu'à sujet "
    "devriez mort connais journée nouvelle pensez trouve vérité allé sœur étiez chaque jeune travailler "
    "lettre penses j'en davantage devons aime savez m'en bureau veuillez famille livres venu dix laissez "
    "petite passer aide qu'ils qu'on merci donné aucune allez étais d'accord devez voulait nager enfant "
    "tellement vois serait prends d'avoir occupé ci j'ignore d'aller heureuse mauvais malade tête "
    "devrions midi fini personnes alors allons bas celui colère coup fils comprends serais yeux n'as "
    "vieux l'heure vite prêt mois boire mangé vue ensemble laissé garçon vivre demander n'avez facile "
    "sûre dur pourriez mettre pouvoir devrait fatigué donne manière sous erreur meilleur l'eau près "
    "réponse acheter comprendre conduire autant d'ici seulement déteste feu nourriture loin premier "
    "ferais ainsi montre confiance froid j'aurais serai réunion travaille bientôt envie vient gare mot "
    "autres regarder prix contre j'adore musique chemin pouvais exactement essayé médecin dernier côté "
    "amie compte n'avais belle vélo boulot écrit beau attendre endroit oublié parlé puisse dîner "
    "probablement tant plait regarde professeur japon plutôt n'avons lieu verre joue gros âge quiconque "
    "parti cheveux l'autre apprendre laisser désolée dessus genre appris anglais décidé vit nouvelles "
    "auparavant dehors leurs fenêtre propos penser faim",
    "es": "el él por lo mi qué ella más al yo estoy muy tiene eso este esta estaba quiero tengo fue aquí casa "
    "como hacer puedo todo esto algo tiempo hay gusta tan todos ir nada era cuando vez puede mucho ellos "
    "ser sé solo nunca mañana sus estás dónde ya creo trabajo ahora cómo dijo dinero tienes quién pero "
    "hablar están soy siempre ese día hace había tú libro puedes hoy quiere poco verdad voy nadie esa "
    "años sabe mejor ver estar padre quieres tarde demasiado quería hizo eres antes parece tres tenía "
    "usted noche hora sin haber sobre ayer mí hasta perro hombre estado vida comer todavía necesito días "
    "inglés alguien nuevo cuándo tenemos cuál coche decir mismo hecho gente así nosotros problema madre "
    "gustaría semana ti deberías habitación buen sabía pasado debería otra estamos puerta después escuela "
    "uno cosas tus amigos mundo casi feliz niños alguna cuánto podría veces allí saber pronto hacerlo "
    "fuera difícil realmente ayuda muchos año menos otro seguro niño dio desde agua buena amigo sabes "
    "habla visto ahí ciudad nuestro comida conmigo todas sólo vino personas cada persona gran comprar "
    "durante hermano fiesta tren toda vi haciendo contigo tener tanto profesor podía japón policía clase "
    "libros salir carta cama muchas bueno cuenta lugar momento acerca diez pasó padres porque nuestra "
    "cerca espero tienen hermana aún siento vamos rápido lunes problemas teléfono dejó pudo tuvo sido "
    "gustan horas hijo fui estaban mujer también familia anoche han joven debes acuerdo historia debe "
    "murió trabajar vivir cosa podemos nueva puso gracias sí cinco donde hice accidente mano jugar dije "
    "menudo estos mesa viene televisión nadar tomar temprano ocupado gato ayudar bastante fácil mucha "
    "aprender encontrar pidió estudiar crees pregunta última camino pasar dejar necesita mientras llegar "
    "algunas suficiente minutos estación algunos fuerte razón dicho volver miedo cansado lado ustedes "
    "alto conozco estuvo ve preguntó país hablando colegio hijos algún vio ventana tipo zapatos tuve será "
    "sola frío música estudiantes pienso unos oficina punto película podrías llegó compró juntos lleva "
    "ido reloj fueron hemos quisiera cualquier ojos esperar ningún reunión solía edad pueden debo "
    "esperando cabeza importa seis bicicleta tenis somos fumar estados primera hacia sueño misma unidos "
    "estas viejo creer queda buscando caja único haga ganas deja esposa contra río chico compré bajo "
    "guerra canción veo conducir salió cierto avión pasa número verano cree querés iba chica dolor "
    "interesante sería dólares lejos cuarto palabra pueda manera llave respuesta médico tienda necesitas "
    "calle leche autobús oído hubiera quien quedó perdido bebé mío capaz encontré usar perder pensar "
    "escribir preguntas pelo juego cuántos ninguna navidad ropa perdió parecía vivo regalo encanta vaya "
    "esté parque hija terminar oír cámara hombres vacaciones ojalá manos deberíamos déjame quieren pude "
    "cuidado sos tomó",
    "pt": "não uma são você eu ele ela eles do da dos das em no na nos nas com para muito mas isso está estão "
    "foi é meu minha onde",
    "it": "il gli di è sono io lei noi una del della dei che per con non questo questa molto ma perché dove mio ho",
    "nl": "de het een en is zijn niet ik je hij zij wij met van voor op aan dat dit heeft hebben waar mijn ook",
}
_SHARED = frozenset(
    word
    for words in _WORDS.values()
    for word in words.split()
    if sum(word in others.split() for others in _WORDS.values()) > 1
)
_OWN = {language: frozenset(words.split()) - _SHARED for language, words in _WORDS.items()}
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


def has_common_word(text: str, language: str) -> bool:
    """Whether a text has a word of those that are a language's own. Args: language: BCP 47 code."""
    own = _OWN.get(language.lower().replace("_", "-").split("-")[0])
    if own is None:
        return False
    return any(match[0].lower().replace("’", "'") in own for match in _TOKEN.finditer(text))
