"""Short entries in four languages: greetings, courtesies, single words, noun phrases; lines of a phrase book.

Tatoeba has few of them, and a stranger types them first.
"""

import random

from regard_models.recipes.corpus import Pair

_LINES = """
Hello | Hallo | Bonjour | Hola
Hi | Hi | Salut | Hola
Hello! | Hallo! | Bonjour ! | ¡Hola!
Good morning | Guten Morgen | Bonjour | Buenos días
Good morning! | Guten Morgen! | Bonjour ! | ¡Buenos días!
Good afternoon | Guten Tag | Bonjour | Buenas tardes
Good evening | Guten Abend | Bonsoir | Buenas noches
Good night | Gute Nacht | Bonne nuit | Buenas noches
Goodbye | Auf Wiedersehen | Au revoir | Adiós
Bye | Tschüss | Salut | Adiós
See you later | Bis später | À plus tard | Hasta luego
See you tomorrow | Bis morgen | À demain | Hasta mañana
See you soon | Bis bald | À bientôt | Hasta pronto
Welcome | Willkommen | Bienvenue | Bienvenido
How are you? | Wie geht es dir? | Comment vas-tu ? | ¿Cómo estás?
How are you today? | Wie geht es dir heute? | Comment vas-tu aujourd'hui ? | ¿Cómo estás hoy?
I'm fine, thank you. | Mir geht es gut, danke. | Je vais bien, merci. | Estoy bien, gracias.
Thanks | Danke | Merci | Gracias
Thank you | Danke | Merci | Gracias
Thank you very much | Vielen Dank | Merci beaucoup | Muchas gracias
You're welcome | Gern geschehen | De rien | De nada
Please | Bitte | S'il vous plaît | Por favor
Excuse me | Entschuldigung | Excusez-moi | Disculpe
Sorry | Entschuldigung | Désolé | Lo siento
I'm sorry | Es tut mir leid | Je suis désolé | Lo siento
Yes | Ja | Oui | Sí
No | Nein | Non | No
Maybe | Vielleicht | Peut-être | Quizás
Of course | Natürlich | Bien sûr | Por supuesto
No problem | Kein Problem | Pas de problème | No hay problema
Congratulations! | Herzlichen Glückwunsch! | Félicitations ! | ¡Felicidades!
Happy birthday! | Alles Gute zum Geburtstag! | Joyeux anniversaire ! | ¡Feliz cumpleaños!
Merry Christmas! | Frohe Weihnachten! | Joyeux Noël ! | ¡Feliz Navidad!
Good luck! | Viel Glück! | Bonne chance ! | ¡Buena suerte!
Have a nice day! | Einen schönen Tag noch! | Bonne journée ! | ¡Que tenga un buen día!
Enjoy your meal! | Guten Appetit! | Bon appétit ! | ¡Buen provecho!
Cheers! | Prost! | Santé ! | ¡Salud!
Help! | Hilfe! | À l'aide ! | ¡Socorro!
Stop! | Halt! | Arrêtez ! | ¡Alto!
Nice to meet you. | Freut mich. | Enchanté. | Encantado.
What is your name? | Wie heißt du? | Comment t'appelles-tu ? | ¿Cómo te llamas?
Where are you from? | Woher kommst du? | D'où viens-tu ? | ¿De dónde eres?
I don't understand. | Ich verstehe nicht. | Je ne comprends pas. | No entiendo.
How much is it? | Wie viel kostet es? | Combien ça coûte ? | ¿Cuánto cuesta?
How much does it cost? | Was kostet das? | Combien cela coûte-t-il ? | ¿Cuánto cuesta?
What time is it? | Wie spät ist es? | Quelle heure est-il ? | ¿Qué hora es?
the table | der Tisch | la table | la mesa
the chair | der Stuhl | la chaise | la silla
the house | das Haus | la maison | la casa
the door | die Tür | la porte | la puerta
the window | das Fenster | la fenêtre | la ventana
the kitchen | die Küche | la cuisine | la cocina
the bathroom | das Badezimmer | la salle de bains | el cuarto de baño
the garden | der Garten | le jardin | el jardín
the street | die Straße | la rue | la calle
the city | die Stadt | la ville | la ciudad
the village | das Dorf | le village | el pueblo
the bridge | die Brücke | le pont | el puente
the river | der Fluss | la rivière | el río
the sea | das Meer | la mer | el mar
the mountain | der Berg | la montagne | la montaña
the forest | der Wald | la forêt | el bosque
the tree | der Baum | l'arbre | el árbol
the flower | die Blume | la fleur | la flor
the sun | die Sonne | le soleil | el sol
the moon | der Mond | la lune | la luna
the rain | der Regen | la pluie | la lluvia
the snow | der Schnee | la neige | la nieve
the dog | der Hund | le chien | el perro
the cat | die Katze | le chat | el gato
the horse | das Pferd | le cheval | el caballo
the bird | der Vogel | l'oiseau | el pájaro
the fish | der Fisch | le poisson | el pez
bread | Brot | pain | pan
butter | Butter | beurre | mantequilla
cheese | Käse | fromage | queso
milk | Milch | lait | leche
water | Wasser | eau | agua
wine | Wein | vin | vino
beer | Bier | bière | cerveza
coffee | Kaffee | café | café
tea | Tee | thé | té
sugar | Zucker | sucre | azúcar
salt | Salz | sel | sal
apple | Apfel | pomme | manzana
lemon | Zitrone | citron | limón
potato | Kartoffel | pomme de terre | patata
meat | Fleisch | viande | carne
chicken | Huhn | poulet | pollo
egg | Ei | œuf | huevo
breakfast | Frühstück | petit déjeuner | desayuno
lunch | Mittagessen | déjeuner | almuerzo
dinner | Abendessen | dîner | cena
the menu | die Speisekarte | le menu | el menú
the bill | die Rechnung | l'addition | la cuenta
the station | der Bahnhof | la gare | la estación
the airport | der Flughafen | l'aéroport | el aeropuerto
the hospital | das Krankenhaus | l'hôpital | el hospital
the pharmacy | die Apotheke | la pharmacie | la farmacia
the school | die Schule | l'école | la escuela
the church | die Kirche | l'église | la iglesia
the bank | die Bank | la banque | el banco
the hotel | das Hotel | l'hôtel | el hotel
the car | das Auto | la voiture | el coche
the train | der Zug | le train | el tren
the plane | das Flugzeug | l'avion | el avión
the bicycle | das Fahrrad | le vélo | la bicicleta
the ship | das Schiff | le bateau | el barco
the ticket | die Fahrkarte | le billet | el billete
the suitcase | der Koffer | la valise | la maleta
the key | der Schlüssel | la clé | la llave
the book | das Buch | le livre | el libro
the letter | der Brief | la lettre | la carta
the newspaper | die Zeitung | le journal | el periódico
the computer | der Computer | l'ordinateur | el ordenador
the telephone | das Telefon | le téléphone | el teléfono
mother | Mutter | mère | madre
father | Vater | père | padre
brother | Bruder | frère | hermano
sister | Schwester | sœur | hermana
friend | Freund | ami | amigo
child | Kind | enfant | niño
woman | Frau | femme | mujer
man | Mann | homme | hombre
doctor | Arzt | médecin | médico
teacher | Lehrer | professeur | profesor
head | Kopf | tête | cabeza
hand | Hand | main | mano
foot | Fuß | pied | pie
eye | Auge | œil | ojo
heart | Herz | cœur | corazón
red | rot | rouge | rojo
blue | blau | bleu | azul
green | grün | vert | verde
yellow | gelb | jaune | amarillo
black | schwarz | noir | negro
white | weiß | blanc | blanco
big | groß | grand | grande
small | klein | petit | pequeño
new | neu | nouveau | nuevo
old | alt | vieux | viejo
good | gut | bon | bueno
bad | schlecht | mauvais | malo
hot | heiß | chaud | caliente
cold | kalt | froid | frío
beautiful | schön | beau | hermoso
cheap | billig | bon marché | barato
expensive | teuer | cher | caro
open | offen | ouvert | abierto
closed | geschlossen | fermé | cerrado
left | links | gauche | izquierda
right | rechts | droite | derecha
today | heute | aujourd'hui | hoy
tomorrow | morgen | demain | mañana
yesterday | gestern | hier | ayer
now | jetzt | maintenant | ahora
always | immer | toujours | siempre
never | nie | jamais | nunca
often | oft | souvent | a menudo
here | hier | ici | aquí
there | dort | là | allí
one | eins | un | uno
two | zwei | deux | dos
three | drei | trois | tres
four | vier | quatre | cuatro
five | fünf | cinq | cinco
six | sechs | six | seis
seven | sieben | sept | siete
eight | acht | huit | ocho
nine | neun | neuf | nueve
ten | zehn | dix | diez
twenty | zwanzig | vingt | veinte
a hundred | hundert | cent | cien
a thousand | tausend | mille | mil
Monday | Montag | lundi | lunes
Tuesday | Dienstag | mardi | martes
Wednesday | Mittwoch | mercredi | miércoles
Thursday | Donnerstag | jeudi | jueves
Friday | Freitag | vendredi | viernes
Saturday | Samstag | samedi | sábado
Sunday | Sonntag | dimanche | domingo
January | Januar | janvier | enero
June | Juni | juin | junio
December | Dezember | décembre | diciembre
spring | Frühling | printemps | primavera
summer | Sommer | été | verano
autumn | Herbst | automne | otoño
winter | Winter | hiver | invierno
Germany | Deutschland | Allemagne | Alemania
France | Frankreich | France | Francia
Spain | Spanien | Espagne | España
England | England | Angleterre | Inglaterra
Italy | Italien | Italie | Italia
Europe | Europa | Europe | Europa
German | Deutsch | allemand | alemán
French | Französisch | français | francés
English | Englisch | anglais | inglés
Spanish | Spanisch | espagnol | español
a glass of water | ein Glas Wasser | un verre d'eau | un vaso de agua
a cup of coffee | eine Tasse Kaffee | une tasse de café | una taza de café
a bottle of wine | eine Flasche Wein | une bouteille de vin | una botella de vino
a cold beer | ein kaltes Bier | une bière fraîche | una cerveza fría
the red car | das rote Auto | la voiture rouge | el coche rojo
my best friend | mein bester Freund | mon meilleur ami | mi mejor amigo
our new house | unser neues Haus | notre nouvelle maison | nuestra casa nueva
the old man | der alte Mann | le vieil homme | el anciano
a beautiful day | ein schöner Tag | une belle journée | un hermoso día
last week | letzte Woche | la semaine dernière | la semana pasada
next month | nächsten Monat | le mois prochain | el próximo mes
every day | jeden Tag | tous les jours | todos los días
this morning | heute Morgen | ce matin | esta mañana
Opening hours | Öffnungszeiten | Horaires d'ouverture | Horario de apertura
Entrance | Eingang | Entrée | Entrada
Exit | Ausgang | Sortie | Salida
No smoking | Rauchen verboten | Défense de fumer | Prohibido fumar
Free admission | Eintritt frei | Entrée gratuite | Entrada gratuita
Price list | Preisliste | Liste des prix | Lista de precios
First name | Vorname | Prénom | Nombre
Address | Adresse | Adresse | Dirección
Password | Passwort | Mot de passe | Contraseña
Sign in | Anmelden | Se connecter | Iniciar sesión
Sign out | Abmelden | Se déconnecter | Cerrar sesión
Save | Speichern | Enregistrer | Guardar
Cancel | Abbrechen | Annuler | Cancelar
Delete | Löschen | Supprimer | Eliminar
Search | Suchen | Rechercher | Buscar
Settings | Einstellungen | Paramètres | Configuración
Next page | Nächste Seite | Page suivante | Página siguiente
I would like a coffee, please. | Ich hätte gern einen Kaffee, bitte. | Je voudrais un café, s'il vous plaît. | Quisiera un café, por favor.
I would like to order. | Ich möchte bestellen. | Je voudrais commander. | Quisiera pedir.
I would like to reserve a room. | Ich möchte ein Zimmer reservieren. | Je voudrais réserver une chambre. | Quisiera reservar una habitación.
The bill, please. | Die Rechnung, bitte. | L'addition, s'il vous plaît. | La cuenta, por favor.
Where is the toilet? | Wo ist die Toilette? | Où sont les toilettes ? | ¿Dónde está el baño?
Do you speak English? | Sprechen Sie Englisch? | Parlez-vous anglais ? | ¿Habla inglés?
Can you help me? | Können Sie mir helfen? | Pouvez-vous m'aider ? | ¿Puede ayudarme?
I am lost. | Ich habe mich verlaufen. | Je suis perdu. | Estoy perdido.
I need a doctor. | Ich brauche einen Arzt. | J'ai besoin d'un médecin. | Necesito un médico.
A table for two, please. | Einen Tisch für zwei Personen, bitte. | Une table pour deux, s'il vous plaît. | Una mesa para dos, por favor.
"""

ENTRIES = [tuple(line.split(" | ")) for line in _LINES.strip().splitlines()]
"""(English, German, French, Spanish) of each entry."""

_COLUMNS = {"de": 1, "fr": 2, "es": 3}


def entry(language: str, rng: random.Random) -> Pair:
    """An entry, whose first letter is now and then a capital on both sides."""
    line = rng.choice(ENTRIES)
    source, target = line[0], line[_COLUMNS[language]]
    if rng.random() < 0.2:
        source, target = (text[:1].upper() + text[1:] for text in (source, target))
    return Pair(source, target, language)
