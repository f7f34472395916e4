"""Common English first names, which vocabularies must not learn from e-mails.

The list omits names that are also common words: April, August, Grace, Hope, Joy, June, May, Rose, Will.
"""

FIRST_NAMES = frozenset(
    """
    aaron abby abdul abigail abraham adam adele adrian agnes ahmed aidan aimee al alan alana albert alberto
    alejandro alex alexa alexander alexandra alexis alfred alfredo ali alice alicia alison allan allen allison alma
    alvin alyssa amanda amber amelia amy ana anastasia anders andre andrea andreas andres andrew andy angel angela
    angelica angelina angie anibal anita ann anna annabel anne annette annie anthony antonia antonio ariel arlene
    armando arnold arthur arturo ashley astrid audra audrey austin ava barb barbara barney barry barton beatrice
    becky belinda ben benjamin bernadette bernard bernice bert bertha beth bethany betsy bettino betty beverly
    bianca bill billy blair blake blanche bob bobby bonita bonnie boris brad bradley brandi brandon brandy brenda
    brendan brent brett brian bridget britt brittany bruce bruno bryan bryant byron caitlin calvin cameron camilla
    candace cara carey carl carla carlos carlotta carmen carol carole caroline carolyn carrie casey caspar cassandra
    catherine cathy cecil cecile cecilia cedric celeste celia chad charlene charles charlie charlotte chelsea cheryl
    chester chloe chris chrissy christa christian christie christina christine christopher christy chuck cindy
    claire clara clarence clarissa claude claudia clayton cliff clifford clifton clint clinton clyde cody colette
    colin colleen connie connor conrad corazon cordelia corey corinne cory courtney craig cristina crystal curt
    curtis cynthia daisy dale damian dan dana daniel daniela danielle danny daphne darcy darla darlene darrell
    darren daryl dave david dawn dean deanna deb debbie deborah debra delia della delores denis denise dennis derek
    derrick desiree diana diane dianna dianne dick diego dieter dmitri dolly dolores dominic don donald donna doris
    dorothy doug douglas drew duane duncan dustin dwayne dwight dylan earl ed eddie edgar edith edmund edna edouard
    eduardo edward edwin eileen elaina elaine eleanor elena eli elias elisabeth elise elizabeth ella ellen elliott
    elmer eloise elsie elvira emerson emery emily emma enrique eric erica erik erika erin erma ernest ernesto
    estelle esther ethan ethel etta eugene eunice eva evan evelyn everett faith felicia felix ferdinand fernand
    fernando fiona fletcher florence floyd frances francesco francis francisco francois frank franklin frans franz
    fred freda freddie frederick frieda fumio gabriel gabriela gabrielle gail gareth garrett garth gary gavin gayle
    gene genevieve geoff geoffrey george georgia georgina gerald geraldine gerard gerhard gilbert gilda gina ginger
    ginny giovanni gladys glen glenda glenn gloria gordon graham greg gregg gregory greta gretchen grover guillermo
    gustavo guy gwen gwendolyn gwyneth hal hank hannah hans harold harriet harry haruo harvey hassan hazel heather
    hector heidi heinz helen helga helmut henrietta henry herbert herman hermann hilary hilda hisham holly homer
    horace howard hugh hugo hussein ian ibrahim ida igor ilene imogen inez ingrid ira irene iris irma irving irwin
    isaac isabel isabella isabelle isaiah ivan jack jackie jaclyn jacob jacqueline jacques jaime jake james jamie
    jan jana jane janelle janet janice janine janis jared jasmine jason jasper javier jay jean jeanette jeanne
    jeannie jeff jeffery jeffrey jenna jennifer jenny jens jeremy jerome jerry jesse jessica jessie jesus jill jim
    jimmy jo joan joann joanna joanne jodi jody joe joel joey johanna john johnnie johnny jon jonas jonathan jordan
    jorge jose joseph josephine josh joshua joyce juan juanita judith judy juergen julia julian juliana julie juliet
    julio julius jurgen justin justine kara karen karin karina karl karla karsten kate katharine katherine kathleen
    kathryn kathy katie katrina kay kayla keith kelley kelli kellie kelly ken kendall kenneth kenny kent kerry kevin
    kiichi kim kimberley kimberly kip kirk kirsten kirstin klaus kris krista kristen kristi kristin kristina
    kristine kristy kurt kyle lamar lance lara larissa larry lars latoya laura lauren laurence laurie lawrence leah
    lee leigh leila leland lena lenora leo leon leona leonard leroy leslie lester leticia lewis lila lillian lillie
    linda lindsay lindsey lionel lisa liz liza lloyd lois lola lonnie lora lorenzo loretta lori lorie lorna lorraine
    lottie louis louise lucas lucia lucille lucy luigi luis luke luther luz lydia lyla lyle lynda lynette lynn lynne
    mabel mack madeline madison mae maeve maggie magnus makoto malcolm mamie manuel marc marcel marcella marcia
    marco marcos marcus margaret margarita margery margie margo maria marian marianna marianne marie marilyn marina
    mario marion marisa marisol marissa marjorie mark marlene marsha marshall martha martin marvin mary maryann
    mathew matt matthew maude maureen maurice mavis max maxine megan meghan melanie melinda melissa melvin mercedes
    meredith merle michael michel michele michelle miguel mike mikhail mildred millie milo milton mindy minerva
    minnie mira miranda miriam misty mitch mitchell moe mohammed molly mona monica monique monte morgan morris
    morton moses muriel murray myra myron myrtle nadia nadine nancy naomi natalie natasha nathan nathaniel neal ned
    neil nell nellie nelson nettie nicholas nick nicolas nicole nigel nils nina nita noah nobuo noel nora norbert
    noreen norma norman olaf olga oliver olivia omar ophelia orville oscar otis otto owen pablo paige pam pamela pat
    patrice patricia patrick patsy patti patty paul paula paulette paulina pauline paulo pedro peggy penny percival
    percy perry pete peter petra phil philip phillip phoebe phyllis pierre polly preston priscilla quentin quincy
    rachael rachel rafael ralph ramon ramona randal randall randy raquel raul ray raymond rebecca reese regina
    reginald rene renee reuben rhett rhonda ricardo richard rick ricky rita rob robbie robert roberta roberto robin
    robyn rod roderick rodney rodrigo roger roland rolf roman ron ronald ronnie rosa rosalie rosalind rosalyn
    rosanne rosemary rosie ross rowena roxanne roy ruben ruby rudolph rudy rufus rupert russ russell ruth ryan
    sabrina sadie sally salvador sam samantha sammy samuel sandra sandy sara sarah satoshi scott sean sebastian
    selena serena sergei sergio seth shane shannon shari sharon shaun shauna shawn sheila shelby sheldon shelley
    shelly sheri sherri sherry shirley sid sidney silas simon simone solomon sonia sonya sophia sophie spencer
    stacey staci stacie stacy stan stanley stefan stefano stella steph stephanie stephen steve steven stewart stuart
    sue susan susana susie suzanne suzie sven sylvia tabitha tadashi tamara tami tammy tana tanya tara tasha tatiana
    ted terence teresa teri terrance terrell terrence terri terry thaddeus thea thelma theodore theresa thomas
    tiffany tim timothy tina toby tod todd tom tommy toni tony tonya tracey traci tracy travis trent trevor tricia
    trina trisha tristan trudy twila tyler tyra tyrone tyrus ulysses ursula valerie vanessa vaughn velma vera verna
    vernon veronica vicki vickie vicky victor victoria vilma vince vincent viola violet virgil virginia vito vivian
    vladimir wade wallace walt walter wanda warren wayne wendell wendi wendy werner wes wesley whitney wilbur
    wilhelm wilhelmina willard william willie willy wilma wilton winifred winona winston wolfgang woodrow wyatt
    xavier xenia yasmin yasuhiro yolanda yusuf yves yvette yvonne zach zachary zelda zoe
    """.split()
)
